import { createHash } from "node:crypto";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { Failure } from "../common/failure.ts";
import type { CatalogImage } from "./catalog.ts";
import type { MountNamespace } from "./namespace.ts";
import { packageFolder } from "./package-folder.ts";
import { PackerProgress } from "./packer.ts";

/** What apt uses during the build, in place of the image's own; none of it stays in the image. */
export interface AptOverride {
  /** A file of package sources, whose name ends in .list or .sources. */
  sources?: string;
  /** A file of apt.conf(5). */
  configuration?: string;
}

export interface CustomizeOptions {
  namespace: MountNamespace;
  /** The mounted tree, as a path inside the namespace. */
  tree: string;
  /** An empty folder for Packer's own state. */
  scratch: string;
  apt?: AptOverride;
  /** Folder of the template. */
  template?: string;
  signal?: AbortSignal;
  /** The scripts' output. */
  onText: (text: string) => void;
}

/** The templates and scripts that come with Metalcast. */
export const packerDirectory = packageFolder("packer");

/**
 * Runs the family's provisioning scripts in the tree, through Packer.
 * @throws Failure `customize-failed` (failed) with the failing script's last lines, `programs-missing`, `interrupted`
 */
export async function customize(image: CatalogImage, options: CustomizeOptions): Promise<void> {
  const { namespace, tree, scratch, apt, template = packerDirectory, signal, onText } = options;
  await mkdir(scratch, { recursive: true });
  const variables = {
    tree,
    add_packages: JSON.stringify([...image.packages.add, ...image.firmware]),
    add_components: JSON.stringify(image.components),
    remove_packages: JSON.stringify(image.packages.remove),
    apt_sources: apt?.sources ?? "",
    apt_configuration: apt?.configuration ?? "",
  };
  const family = join(template, "families", `${image.family}.pkrvars.hcl`);
  const settings = Object.entries(variables).flatMap(([name, value]) => ["-var", `${name}=${value}`]);
  const progress = new PackerProgress(onText);
  try {
    await namespace.run("packer", ["build", "-machine-readable", `-var-file=${family}`, ...settings, template], {
      doing: "customizing the image",
      env: { HOME: scratch, TMPDIR: scratch, CHECKPOINT_DISABLE: "1" },
      onLine: progress.read,
      ...(signal && { signal }),
    });
  } catch (error) {
    throw error instanceof Failure && error.code === "command-failed" ? progress.failure(error) : error;
  }
}

/** SHA-256 over the paths and contents of the template and all its scripts, in the order of their paths. */
export async function digestTemplate(template: string = packerDirectory): Promise<string> {
  const entries = await readdir(template, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const hash = createHash("sha256");
  for (const file of files.sort()) {
    const content = await readFile(file);
    hash.update(`${relative(template, file)}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex");
}
