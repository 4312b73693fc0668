import { createHash } from "node:crypto";
import { cp, readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import type { CustomizeWay } from "./customize-way.ts";
import { packageFolder } from "./package-folder.ts";

/** The templates and scripts that come with Metalcast. */
export const packerDirectory = packageFolder("packer");

/** The folders whose *.pkr.hcl, beside those at the top, are a way's template. */
const parts: Readonly<Record<CustomizeWay, readonly string[]>> = {
  chroot: ["chroot"],
  qemu: ["guest", "qemu"],
  openstack: ["guest", "openstack"],
};

/**
 * Puts one way's template together: Packer reads the *.pkr.hcl of one folder only, and refuses a folder with a source
 * whose plugin it lacks even where `-only` leaves that source out (hashicorp/packer v1.16.0,
 * hcl2template/plugin.go, initializeBlocks).
 * @param destination a folder to make, with the template and all scripts
 */
export async function assembleTemplate(way: CustomizeWay, template: string, destination: string): Promise<void> {
  await cp(template, destination, { recursive: true });
  for (const part of parts[way]) {
    for (const name of await readdir(join(template, part))) {
      if (name.endsWith(".pkr.hcl")) await cp(join(template, part, name), join(destination, name));
    }
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
