import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { Failure } from "../../common/failure.ts";
import { parseDuration, parseSize } from "../../common/units.ts";
import { imageNameSchema } from "../../mirror/manifest.ts";
import { hardwareLimit } from "../../mirror/qualification/entries.ts";
import { checksumSchema } from "../checksum.ts";
import { customizeChoiceSchema } from "../customize-way.ts";
import { imageFormatSchema } from "../image-format.ts";

const path = z.string().min(1);

/** Text that `read` understands, or a problem that the schema reports with its place. */
function measure(read: (text: string) => number) {
  return z.union([z.string(), z.number()]).transform((text, context) => {
    try {
      return read(String(text));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      context.addIssue({ code: "custom", message: `${error.message}: ${error.hint}` });
      return z.NEVER;
    }
  });
}

const bootTestSchema = z.strictObject({
  command: z.tuple([z.string().min(1)], z.string()),
  timeout: measure(parseDuration).default(3_600_000),
  environment: z.array(z.string().regex(/^[A-Za-z_]\w*$/, "expected a variable's name")).default([]),
});

const imageSchema = z.union([
  imageNameSchema.transform((name) => ({ name, local: undefined })),
  z
    .strictObject({
      name: imageNameSchema,
      source: path,
      checksum: checksumSchema,
      format: imageFormatSchema.exactOptional(),
    })
    .transform(({ name, ...local }) => ({ name, local })),
]);

/** `nightly.yaml`. docs/nightly.md tells of each field. */
const settingsSchema = z
  .strictObject({
    store: z.string(),
    keys: path,
    images: z
      .array(imageSchema)
      .min(1)
      .refine((images) => new Set(images.map(({ name }) => name)).size === images.length, {
        error: "each image once",
      })
      .optional(),
    catalog: path.optional(),
    work: path.default("/var/lib/metalcast/nightly"),
    logs: path.optional(),
    cache: path.optional(),
    template: path.optional(),
    customize: customizeChoiceSchema.optional(),
    rhsm: z.strictObject({ organization: z.string().min(1), activationKeyFile: path }).optional(),
    parallel: z.int().min(1).optional(),
    diskPerBuild: measure(parseSize).optional(),
    memoryPerBuild: measure(parseSize).optional(),
    maxAge: measure(parseDuration).optional(),
    buildTimeout: measure(parseDuration).optional(),
    bootTest: bootTestSchema.optional(),
    promote: z.enum(["tested", "untested"]).default("tested"),
    requireQualified: z.array(z.string().min(1).max(hardwareLimit)).optional(),
    keep: z.int().min(1).optional(),
    grace: measure(parseDuration).optional(),
  })
  .refine(({ bootTest, promote }) => !bootTest || promote === "tested", {
    path: ["promote"],
    error: "with a boot test, only what passes it is promoted",
  });

/** All paths in it are absolute. */
export type NightlySettings = z.infer<typeof settingsSchema>;

/**
 * Reads `nightly.yaml`. Paths in it are relative to the file.
 * @throws Failure `nightly-unreadable`, `nightly-invalid` (configuration) with every wrong field
 */
export async function loadNightlySettings(file: string): Promise<NightlySettings> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw new Failure({
      code: "nightly-unreadable",
      kind: "configuration",
      message: `reading the settings of the nightly: cannot read ${file}`,
      hint: "examples/nightly.yaml is one to start from",
      cause: error,
    });
  });
  return parseNightlySettings(text, file);
}

/** @param file names the text, and its folder is what paths in it are relative to */
export function parseNightlySettings(text: string, file: string): NightlySettings {
  const result = settingsSchema.safeParse(parseYaml(text));
  if (result.success) return locate(result.data, dirname(resolve(file)));
  const problems = result.error.issues.map((issue) => `${issue.path.join(".") || "(whole)"}: ${issue.message}`);
  throw new Failure({
    code: "nightly-invalid",
    kind: "configuration",
    message: `${file} is not valid: ${problems.join("; ")}`,
    hint: "docs/nightly.md tells of every field",
    data: { problems },
  });
}

function locate(settings: NightlySettings, directory: string): NightlySettings {
  const { images, keys, work, logs, cache, template, catalog, rhsm } = settings;
  const at = (relative: string) => resolve(directory, relative);
  return {
    ...settings,
    keys: at(keys),
    work: at(work),
    ...(logs !== undefined && { logs: at(logs) }),
    ...(cache !== undefined && { cache: at(cache) }),
    ...(template !== undefined && { template: at(template) }),
    ...(catalog !== undefined && { catalog: at(catalog) }),
    ...(rhsm && { rhsm: { ...rhsm, activationKeyFile: at(rhsm.activationKeyFile) } }),
    ...(images && {
      images: images.map(({ name, local }) => ({ name, local: local && { ...local, source: at(local.source) } })),
    }),
  };
}

/** @returns undefined, which no schema accepts, for text that is not YAML */
function parseYaml(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}
