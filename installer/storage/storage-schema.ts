import { z } from "zod";
import { Secret } from "../../common/secret.ts";
import { parseSize } from "../../common/units.ts";
import { sizeSchema } from "./size.ts";

const nameSchema = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,14}$/i, "expected up to 15 letters, digits and underscores, beginning with a letter")
  // Volume groups and opened devices appear below /dev under their own names; the last three are ours on every disk.
  .refine(
    (name) =>
      !/^(disk|md|dm|mapper|block|char|bus|cpu|input|net|pts|shm|snd|fd|null|zero|full|random|urandom|tty|console|control|core|rtc|esp|bios_boot|config_drive)\d*$/i.test(
        name,
      ) && !/^(sd|hd|vd|nvme|loop|ram|tty)[a-z0-9]*$/i.test(name),
    "this name is taken",
  );

/** The name of something declared in the layout; volumes are GROUP/VOLUME. */
const sourceSchema = z.string().min(1).max(40);

/** Mounted by the system itself, or a link in every distribution of today: nothing may be mounted there. */
const reservedMounts = /^\/(boot\/efi|efi|proc|sys|dev|run|etc|bin|sbin|lib\w*)(\/|$)/;

const mountSchema = z
  .string()
  .regex(/^\/$|^(\/[\w@+.-]+)+$/, "expected an absolute path such as /var")
  .refine((path) => !path.split("/").some((part) => part === "." || part === ".."), "expected a path without . and ..")
  .refine((path) => !reservedMounts.test(path), "nothing of a layout is mounted there");

/** fstab(5), field 4. */
const optionsSchema = z.string().regex(/^[\w=,.:@%+/-]+$/, "expected mount options such as noatime,discard");

const chunkSchema = z.string().transform((text, context) => {
  try {
    const bytes = parseSize(text);
    // md wants a power of two, and every boundary of a layout is a whole number of KiB.
    if (bytes >= 4096 && bytes <= 64 * 2 ** 20 && Number.isInteger(Math.log2(bytes))) return bytes;
  } catch {
    // Told below.
  }
  context.addIssue({ code: "custom", message: `"${text}" is not a chunk: a power of two from 4 KiB to 64 MiB` });
  return z.NEVER;
});

const passphraseSchema = z
  .instanceof(Secret)
  .refine((secret) => /^\P{Cc}{1,512}$/u.test(secret.reveal()), "expected one line of 1 to 512 characters");

// Written to the target as text; what no UTF-8 decoder takes has become U+FFFD when it was read.
const keySchema = z
  .instanceof(Secret)
  .refine(
    (secret) => /^[^\0\uFFFD]{1,4096}$/u.test(secret.reveal()),
    "expected a text of 1 to 4096 characters; `openssl rand -base64 48` makes one",
  );

/** One of the two. A job file names them as `passphraseFile` and `keyFile`. */
const unlockFields = { passphrase: passphraseSchema.optional(), key: keySchema.optional() };
const exactlyOne = ({ passphrase, key }: { passphrase?: unknown; key?: unknown }) =>
  (passphrase === undefined) !== (key === undefined);
const unlockMessage = "expected either a passphraseFile or a keyFile";

const raidLevelSchema = z.literal([0, 1, 4, 5, 6, 10]);

/** How an array's members become equal; see array.ts. */
const syncSchema = z.enum(["first-boot", "create", "zero", "assume-clean"]);

/** Bytes a second, of each member; see sync-speed.ts. */
const syncSpeedSchema = z.string().transform((text, context) => {
  try {
    const bytes = parseSize(text);
    if (bytes >= 2 ** 20 && Number.isSafeInteger(bytes)) return bytes;
  } catch {
    // Told below.
  }
  context.addIssue({
    code: "custom",
    message: `"${text}" is not a speed: write for example "50 MiB", for each second`,
  });
  return z.NEVER;
});

/** Whether every system disk's ESP is a file system of its own, or all are one array; see esp.ts. */
const espSchema = z.enum(["per-disk", "raid1"]).default("per-disk");

const layoutSchema = z.strictObject({
  esp: espSchema,
  syncSpeed: syncSpeedSchema.optional(),
  partitions: z
    .array(z.strictObject({ name: nameSchema, group: z.string().default("system"), size: sizeSchema }))
    .min(1)
    .max(32),
  raid: z
    .array(
      z.strictObject({
        name: nameSchema,
        level: raidLevelSchema,
        on: z.union([sourceSchema, z.array(sourceSchema).min(1)]),
        metadata: z.enum(["1.0", "1.2"]).default("1.2"),
        spares: z.int().min(0).max(16).default(0),
        chunk: chunkSchema.optional(),
        bitmap: z.enum(["internal", "none"]).optional(),
        sync: syncSchema.optional(),
      }),
    )
    .default([]),
  luks: z
    .array(z.strictObject({ name: nameSchema, on: sourceSchema, ...unlockFields }).refine(exactlyOne, unlockMessage))
    .default([]),
  lvm: z
    .array(
      z.strictObject({
        name: nameSchema,
        on: z.union([sourceSchema, z.array(sourceSchema).min(1)]),
        volumes: z
          .array(z.strictObject({ name: nameSchema, size: sizeSchema, stripes: z.int().min(1).max(64).default(1) }))
          .min(1),
      }),
    )
    .default([]),
  filesystems: z
    .array(
      z.strictObject({
        on: sourceSchema,
        type: z.enum(["ext4", "xfs", "btrfs", "vfat", "swap"]),
        mount: mountSchema.optional(),
        options: optionsSchema.optional(),
        subvolumes: z
          .array(
            z.strictObject({
              name: z.string().regex(/^[\w@][\w@.-]{0,63}$/, "expected a subvolume's name such as @home"),
              mount: mountSchema,
              options: optionsSchema.optional(),
            }),
          )
          .min(1)
          .optional(),
      }),
    )
    .min(1),
});

const presetNameSchema = z.enum(["single", "raid0", "raid1", "raid5", "raid6", "raid10"]);

const presetSchema = z.strictObject({
  preset: presetNameSchema,
  /** Everything but /boot becomes volumes of one group. */
  lvm: z.boolean().default(false),
  filesystem: z.enum(["ext4", "xfs", "btrfs"]).default("ext4"),
  encrypt: z.strictObject({ passphrase: passphraseSchema }).optional(),
  swap: sizeSchema.optional(),
  sync: syncSchema.optional(),
  syncSpeed: syncSpeedSchema.optional(),
  esp: espSchema,
});

/**
 * The job's `storage`: a preset's name, a preset with settings, or a full layout. Which of them is meant shows in its
 * form, so that the messages are about that one.
 */
export const storageSchema = z.unknown().transform((value, context): Preset | FullLayout => {
  const schema = isPreset(value) ? presetSchema : layoutSchema;
  const result =
    typeof value === "string" || value === undefined
      ? presetNameSchema.transform((preset) => presetSchema.parse({ preset })).safeParse(value)
      : schema.safeParse(value);
  if (result.success) return result.data;
  for (const { path, message } of result.error.issues) context.addIssue({ code: "custom", path, message });
  return z.NEVER;
});

function isPreset(value: unknown): boolean {
  return typeof value === "object" && value !== null && "preset" in value;
}

export type Preset = z.infer<typeof presetSchema>;
export type FullLayout = z.infer<typeof layoutSchema>;
export type RaidLevel = z.infer<typeof raidLevelSchema>;
export type SyncMode = z.infer<typeof syncSchema>;
