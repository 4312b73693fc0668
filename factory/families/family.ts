import type { Manifest } from "../../mirror/manifest.ts";
import type { PackageNames } from "./asked-for.ts";
import { debian } from "./debian.ts";
import { redhat } from "./redhat.ts";
import { suse } from "./suse.ts";

export type FamilyName = Manifest["family"];

/** Where a family of distributions keeps what metal needs. One file each. */
export interface Family {
  name: FamilyName;
  /** os-release(5) ID, or a word of ID_LIKE. */
  ids: readonly string[];
  /** Programs of its package managers, the preferred first. */
  packageManagers: readonly string[];
  packageNames: PackageNames;
  /** Paths of a kernel and of its initramfs; the first that exists counts. `*` stands for the kernel's release. */
  kernelPaths: readonly string[];
  initramfsPaths: readonly string[];
  /** Files that show what can be booted, any one of each; `*` stands for any one name. */
  firmware: Record<FirmwarePart, readonly string[]>;
}

export type FirmwarePart = "bios" | "uefi" | "shim" | "signedGrub";

const families: readonly Family[] = [debian, redhat, suse];

/** @returns undefined for a distribution of no family that is known */
export function findFamily(osRelease: Readonly<Record<string, string>>): Family | undefined {
  const ids = [osRelease.ID ?? "", ...(osRelease.ID_LIKE ?? "").split(/\s+/)];
  for (const id of ids) {
    const family = families.find((candidate) => candidate.ids.includes(id));
    if (family) return family;
  }
  return undefined;
}
