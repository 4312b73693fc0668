import { z } from "zod";
import { Failure } from "../common/failure.ts";
import { findLayoutProblems } from "./layout.ts";

/** Of one frame, packed or plain: bounds the memory of whoever reads it. The factory's have 4 MiB. */
const frameLimitBytes = 16 * 2 ** 20;

export const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/, "expected a SHA-256 in lower-case hexadecimal");
const count = z.number().int().nonnegative();

/** A name that can stand in a key, a URL and a file name: `debian-12`. */
export const imageNameSchema = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?$/, "expected a name such as debian-12");

/** A version sorts by date: `20261123.0`. */
export const imageVersionSchema = z.string().regex(/^\d{8}\.\d+$/, "expected a version such as 20261123.0");

/** @throws Failure `version-invalid` (configuration) */
export function expectVersion(version: string): string {
  if (imageVersionSchema.safeParse(version).success) return version;
  throw new Failure({
    code: "version-invalid",
    kind: "configuration",
    message: `"${version}" is not the version of an image`,
    hint: "write a date and a number, such as 20261123.0",
  });
}

export const archSchema = z.enum(["amd64", "arm64"]);

/** A file beside the manifest: it names a key and a local path, so it has no directory part. */
const fileNameSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "expected a plain file name");

/** One independent zstd frame of `image.tar.zst`. */
const frameSchema = z.object({
  /** Bytes from the start of the file. */
  offset: count,
  sizeBytes: z.number().int().positive().max(frameLimitBytes),
  /** Bytes after decompression. */
  plainBytes: z.number().int().positive().max(frameLimitBytes),
  /** Of the compressed bytes. */
  sha256: sha256Schema,
});

/**
 * A run of whole frames that holds whole tar members. The first shard and the last hold every directory (to make them,
 * and to settle their metadata); those between hold files, and can be unpacked side by side. The last one
 * also has the symbolic links that tar makes at its very end.
 */
const shardSchema = z.object({
  content: z.enum(["directories", "files"]),
  firstFrame: count,
  frameCount: z.number().int().positive(),
  plainBytes: count,
});

const fieldsSchema = z.looseObject({
  formatVersion: z.literal(1),
  name: imageNameSchema,
  arch: archSchema,
  version: imageVersionSchema,
  /** /etc/os-release as it is in the image. */
  osRelease: z.record(z.string(), z.string()),
  family: z.enum(["debian", "redhat", "suse"]),
  /** Releases as in /lib/modules, newest first: `6.1.0-40-amd64`. */
  kernels: z.array(z.string()).min(1),
  /** What the image carries boot loaders for. */
  firmware: z.object({ bios: z.boolean(), uefi: z.boolean(), secureBoot: z.boolean() }),
  /** What the installer asks for by name: mdadm, lvm2, cryptsetup, xfsprogs, curl, efibootmgr, cloud-init, ... */
  preinstalled: z.array(z.string()),
  initramfs: z.object({
    generator: z.enum(["initramfs-tools", "dracut"]),
    /**
     * Kernel modules (or built-ins) found in every kernel's initramfs, as modprobe names them: raid1, nvme, ahci, ...
     */
    modules: z.array(z.string()),
    /** Programs found in every kernel's initramfs: mdadm, lvm, cryptsetup. */
    programs: z.array(z.string()),
  }),
  unpackedBytes: count,
  minimumDiskBytes: count,
  license: z.enum(["none", "rhsm"]),
  source: z.object({
    url: z.string(),
    /** `sha512:...` or `sha256:...` of the vendor image. */
    checksum: z.string(),
    /** How the checksum was come by. */
    verifiedBy: z.enum(["signature", "checksum-file", "pinned-checksum"]),
    /** Fingerprint of the OpenPGP key, where it was by a signature. */
    signedBy: z
      .string()
      .regex(/^[0-9A-F]{40}$/, "expected a fingerprint")
      .optional(),
  }),
  build: z.object({
    date: z.iso.datetime(),
    /** SHA-256 over the Packer template and the provisioning scripts. */
    templateSha256: sha256Schema,
    /** SHA-256 over what the catalog says of the image; images built by the first versions have none. */
    recipeSha256: sha256Schema.optional(),
    tools: z.record(z.string(), z.string()),
  }),
  files: z.array(z.object({ path: fileNameSchema, sizeBytes: count, sha256: sha256Schema })).min(1),
  frames: z.array(frameSchema).min(1),
  shards: z.array(shardSchema).min(1),
});

/**
 * Contract 1: what a published image is. Lies as `manifest.json` beside `image.tar.zst`.
 * Loose: fields that this version does not know are kept. Whoever writes one checks it with this schema too.
 */
export const manifestSchema = fieldsSchema.superRefine((manifest, context) => {
  for (const { path, message } of findLayoutProblems(manifest)) context.addIssue({ code: "custom", path, message });
});

export type Manifest = z.infer<typeof manifestSchema>;

/** What an image is, wherever its content lies. */
export type ImageFacts = Pick<
  Manifest,
  | "name"
  | "version"
  | "osRelease"
  | "family"
  | "kernels"
  | "firmware"
  | "preinstalled"
  | "initramfs"
  | "unpackedBytes"
  | "minimumDiskBytes"
  | "license"
>;

export type Arch = z.infer<typeof archSchema>;
export type Frame = z.infer<typeof frameSchema>;
export type Shard = z.infer<typeof shardSchema>;

/** Of a `manifest.json`: frames of 4 MiB and 130 bytes each, an image of a terabyte. */
export const manifestLimitBytes = 32 * 2 ** 20;

/** The archive that frames and shards are parts of. */
export const archiveName = "image.tar.zst";

/**
 * @param bytes a `manifest.json`
 * @param where for the message: its key or path
 * @throws Failure `manifest-invalid` (integrity) that names every problem, as far as 20
 */
export function parseManifest(bytes: Uint8Array, where = "manifest.json"): Manifest {
  const parsed = manifestSchema.safeParse(parseJson(bytes));
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "(whole)"}: ${message}`);
  const shown = problems.slice(0, 20).join("; ");
  throw new Failure({
    code: "manifest-invalid",
    kind: "integrity",
    message: `reading ${where}: ${shown}${problems.length > 20 ? `; and ${problems.length - 20} more` : ""}`,
    hint: "publish the image again, or use a Metalcast that knows this format",
    data: { problems },
  });
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
