import { z } from "zod";
import { archSchema, imageNameSchema } from "../mirror/manifest.ts";
import { checksumSchema } from "./checksum.ts";
import { imageFormatSchema } from "./image-format.ts";

const httpUrlSchema = z.url({ protocol: /^https?$/, error: "expected an http or https URL" });
const packageSchema = z.string().regex(/^[a-z0-9][a-z0-9.+*-]*$/i, "expected a package's name, with * for any text");
const componentSchema = z.string().regex(/^[a-z][a-z-]*$/, "expected a component's name");
const fingerprintSchema = z
  .string()
  .regex(/^[0-9A-F]{40}$/, "expected the fingerprint of a primary OpenPGP key: 40 hexadecimal digits in upper case");

/** The vendor publishes the file and, beside it, a list of checksums. */
const listedSourceSchema = z
  .strictObject({
    kind: z.literal("listed"),
    url: httpUrlSchema,
    /** The vendor's list of checksums. */
    checksums: httpUrlSchema,
    algorithm: z.enum(["sha256", "sha512"]),
    /** A detached signature of the list, or `inline`: the list is clearsigned. */
    signature: z.union([z.literal("inline"), httpUrlSchema]).optional(),
    /** Of the vendor's primary key. */
    key: fingerprintSchema.optional(),
  })
  .refine(({ signature, key }) => (signature === undefined) === (key === undefined), {
    error: "expected signature and key, both or neither",
  });

/** The vendor publishes the file, and its checksum on a page for people. */
const pinnedSourceSchema = z.strictObject({
  kind: z.literal("pinned"),
  url: httpUrlSchema,
  checksum: checksumSchema,
});

/** The vendor gives the file to its customers only: they bring it, with its checksum. */
const suppliedSourceSchema = z.strictObject({
  kind: z.literal("supplied"),
  /** The page where its customers get it. */
  supplied: httpUrlSchema,
});

/** One image of the catalog, after its distribution's defaults were laid under it. */
export const catalogImageSchema = z.strictObject({
  name: imageNameSchema,
  title: z.string().min(1),
  arch: archSchema,
  family: z.enum(["debian", "redhat", "suse"]),
  format: imageFormatSchema,
  license: z.enum(["none", "rhsm"]),
  /** What the vendor's own file boots under. */
  firmware: z.array(z.enum(["bios", "uefi"])).min(1, "expected bios, uefi or both"),
  source: z.discriminatedUnion("kind", [listedSourceSchema, pinnedSourceSchema, suppliedSourceSchema]),
  /** Beyond what packer/families has for the whole family. */
  packages: z.strictObject({ add: z.array(packageSchema), remove: z.array(packageSchema) }),
  /** Parts of the distribution's archive to switch on, for good: firmware gets its updates from there. */
  components: z.array(componentSchema),
  /** `boot`: the project's tests build it and boot it. `recipe`: they do not. */
  tested: z.enum(["boot", "recipe"]),
});

export type CatalogImage = z.infer<typeof catalogImageSchema> & {
  /** The YAML file that defines it. */
  file: string;
  /** `built-in`, or from a folder of the user's own: a new name, or in place of a built-in image. */
  origin: "built-in" | "own" | "override";
  /** Folders of public keys, to be looked through in this order. */
  keyFolders: readonly string[];
};
