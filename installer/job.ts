import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { Failure } from "../common/failure.ts";
import { Secret } from "../common/secret.ts";
import { parseReference, sha256Schema } from "../mirror/index.ts";
import { bootOrderSchema } from "./boot/boot-order.ts";
import { instanceSchema } from "./config-drive/instance.ts";
import { disksSchema } from "./disk-request.ts";
import { inlineHooks } from "./hooks/inline-hooks.ts";
import { hooksSchema } from "./hooks/settings.ts";
import { describeProblems } from "./job-problems.ts";
import { inlineLicense } from "./license/inline-license.ts";
import { licenseSchema } from "./license/settings.ts";
import { storageSchema } from "./storage/storage-schema.ts";
import { inlineStorageSecrets } from "./storage/storage-secrets.ts";
import { wipeSchema } from "./wipe/settings.ts";

const referenceSchema = z.string().superRefine((text, context) => {
  try {
    parseReference(text);
  } catch (error) {
    context.addIssue({ code: "custom", message: error instanceof Error ? error.message : String(error) });
  }
});

/** "Bring your own image": where it lies, and what its content must be. */
const ownImageSchema = z
  .strictObject({
    file: z.string().min(1).optional(),
    url: z.url({ protocol: /^https?$/ }).optional(),
    sha256: sha256Schema,
    format: z.string().optional(),
  })
  .refine(({ file, url }) => (file === undefined) !== (url === undefined), "expected either a file or a url");

/**
 * Contract 2. The library takes this object; a job file differs in that it names files where this holds their content.
 */
const jobFieldsSchema = z.strictObject({
  image: z.union([referenceSchema, ownImageSchema]),
  /** Where a published image is. An image of the user's own needs none. */
  mirror: z.string().min(1).optional(),
  /** The pinned root of the mirror's signatures: what `metalcast mirror init` has made. JSON. */
  mirrorRoot: z.string().min(1).optional(),
  disks: disksSchema,
  storage: storageSchema,
  wipe: wipeSchema.prefault({}),
  /** Which boot loaders to install. `auto`: all that the image has. */
  firmware: z.enum(["auto", "uefi", "bios"]).default("auto"),
  /** Where UEFI firmware tries the installed system. */
  bootOrder: bootOrderSchema.default("keep-network-first"),
  instance: instanceSchema,
  /** How the installed system is registered with its vendor. */
  license: licenseSchema.optional(),
  phoneHome: z.strictObject({ url: z.url({ protocol: /^https?$/ }), token: z.instanceof(Secret) }).optional(),
  /** Added to the target's kernel command line, for good. */
  kernelArguments: z
    .array(z.string().regex(/^[\w@%+=:,./-]+$/, "expected one word without quotes, such as console=ttyS1,115200"))
    .default([]),
  /** `auto` keeps the image's initramfs where it holds all that the layout needs. */
  initramfs: z.enum(["auto", "rebuild"]).default("auto"),
  /** Scripts of the user's at certain points. */
  hooks: hooksSchema.prefault({}),
  /** `kexec` starts the installed kernel without the firmware, or reboots where that cannot be done. */
  after: z.enum(["reboot", "kexec", "poweroff", "nothing"]).default("reboot"),
});

// Told together with all other wrong fields.
const whenPublished: NonNullable<z.core.$ZodCustomParams["when"]> = ({ value }) =>
  z.object({ image: z.string() }).safeParse(value).success;

export const jobSchema = jobFieldsSchema
  .refine(({ mirror }) => mirror !== undefined, {
    path: ["mirror"],
    error: "expected the mirror that the image is in, such as s3://images",
    when: whenPublished,
  })
  .refine(({ mirrorRoot }) => mirrorRoot !== undefined, {
    path: ["mirrorRoot"],
    error: "expected the root of the mirror's signatures: the root.json that `metalcast mirror init` has made",
    when: whenPublished,
  });

export type Job = z.infer<typeof jobSchema>;

/**
 * Checks a job given as an object.
 * @throws Failure `job-invalid` (configuration) that names every wrong field
 */
export function parseJob(value: unknown, source = "job"): Job {
  const result = jobSchema.safeParse(value);
  if (result.success) return result.data;
  throw invalidJob(source, describeProblems(result.error.issues));
}

/**
 * Reads a job file (YAML or JSON). `mirrorRoot`, `instance.userData`, `instance.vendorData`, `phoneHome.tokenFile`, the files of `license`, the scripts of
 * `hooks` and the `passphraseFile` and `keyFile` of `storage` are paths, relative to the job file.
 * @throws Failure `job-unreadable`, `job-invalid` (configuration)
 */
export async function loadJob(file: string): Promise<Job> {
  const text = await readText(file, "job");
  let value: unknown;
  try {
    value = parseYaml(text);
  } catch (error) {
    throw invalidJob(file, [`not YAML: ${error instanceof Error ? error.message.split("\n")[0] : error}`]);
  }
  return parseJob(await inlineFiles(value, dirname(resolve(file))), file);
}

const jobFileSchema = z.looseObject({
  image: z.unknown(),
  mirrorRoot: z.string().optional(),
  storage: z.unknown(),
  instance: z.looseObject({ userData: z.string().optional(), vendorData: z.string().optional() }).optional(),
  license: z.unknown().optional(),
  phoneHome: z.looseObject({ tokenFile: z.string().optional() }).optional(),
  hooks: z.unknown().optional(),
});

async function inlineFiles(value: unknown, directory: string): Promise<unknown> {
  const file = jobFileSchema.safeParse(value);
  if (!file.success) return value;
  const { image, mirrorRoot, storage, instance, license, phoneHome, hooks, ...rest } = file.data;
  const readField = (path: string, field: string) => readText(resolve(directory, path), field);
  const inlined: Record<string, unknown> = {
    ...rest,
    ...(image !== undefined && { image: locateImage(image, directory) }),
    ...(mirrorRoot !== undefined && { mirrorRoot: await readField(mirrorRoot, "mirrorRoot") }),
    storage: await inlineStorageSecrets(storage, readField),
    ...(license !== undefined && { license: await inlineLicense(license, readField) }),
    ...(hooks !== undefined && { hooks: await inlineHooks(hooks, readField) }),
  };
  if (instance) {
    inlined.instance = { ...instance };
    for (const field of ["userData", "vendorData"] as const) {
      const path = instance[field];
      if (path !== undefined) {
        inlined.instance = {
          ...(inlined.instance as object),
          [field]: await readText(resolve(directory, path), `instance.${field}`),
        };
      }
    }
  }
  if (phoneHome) {
    const { tokenFile, ...others } = phoneHome;
    const token =
      tokenFile && new Secret((await readText(resolve(directory, tokenFile), "phoneHome.tokenFile")).trim());
    inlined.phoneHome = token ? { ...others, token } : phoneHome;
  }
  return inlined;
}

function locateImage(image: unknown, directory: string): unknown {
  const own = z.looseObject({ file: z.string() }).safeParse(image);
  return own.success ? { ...own.data, file: resolve(directory, own.data.file) } : image;
}

async function readText(file: string, what: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new Failure({
      code: "job-unreadable",
      kind: "configuration",
      message: `reading ${what}: cannot read ${file}`,
      hint: "paths in a job are relative to the job file",
      cause: error,
    });
  }
}

function invalidJob(source: string, problems: string[]): Failure {
  return new Failure({
    code: "job-invalid",
    kind: "configuration",
    message: `${source} is not a valid job: ${problems.join("; ")}`,
    hint: "see docs/job.md for every field",
    data: { problems },
  });
}
