import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { CatalogImage } from "./catalog.ts";
import { type CustomizeOpenstackOptions, customizeInCloud } from "./customize-openstack.ts";
import { type CustomizeQemuOptions, customizeInQemu } from "./customize-qemu.ts";

export type CustomizeDiskOptions =
  | ({ way: "qemu" } & CustomizeQemuOptions)
  | ({ way: "openstack" } & CustomizeOpenstackOptions);

export interface CustomizedDisk {
  path: string;
  /** As declared by who made it, to be checked against the bytes like a vendor's. */
  format: "raw" | "qcow2";
  /** What the build could not remove from the cloud again, each in words. */
  leftovers: readonly string[];
}

/**
 * Boots the vendor's disk, runs the family's provisioning scripts in it, and makes a new disk of that. Of the build's
 * key, user and settings nothing is in it.
 * @returns the new disk, at `destination`
 * @throws Failure as `customizeInQemu` and `customizeInCloud`; no file, virtual machine or server is left then, and
 *   what could not be removed is in the failure's `data.leftovers`
 */
export async function customizeDisk(image: CatalogImage, options: CustomizeDiskOptions): Promise<CustomizedDisk> {
  await mkdir(options.scratch, { recursive: true });
  // mkdtemp(3) makes it for us alone.
  const scratch = await mkdtemp(join(resolve(options.scratch), "customize-"));
  try {
    if (options.way === "openstack") return await customizeInCloud(image, { ...options, scratch });
    await customizeInQemu(image, { ...options, scratch });
    return { path: options.destination, format: "raw", leftovers: [] };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
