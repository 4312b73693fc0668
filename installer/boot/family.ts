import type { ImageFacts } from "../../mirror/index.ts";
import type { Step, TargetFile } from "../step.ts";
import type { Layout } from "../storage/layout.ts";
import { debian } from "./debian.ts";
import { redhat } from "./redhat.ts";
import { suse } from "./suse.ts";

export type Firmware = "uefi" | "bios";

/** What a family needs to know to make a target bootable. */
export interface BootContext {
  image: ImageFacts;
  layout: Layout;
  /** Boot loaders to install. */
  firmware: readonly Firmware[];
  /** For the target's kernel command line, consoles included. */
  kernelArguments: readonly string[];
  rebuildInitramfs: boolean;
  target: string;
}

/** A family of distributions: how each of these things is done there. One file each. */
export interface Family {
  /** What the image must bring for this layout, by the names of `manifest.preinstalled`. */
  requiredPackages(layout: Layout): string[];
  /**
   * Configuration: arrays, kernel arguments, cloud-init's place. fstab is the same everywhere and not the family's
   * business.
   */
  files(context: BootContext): TargetFile[];
  /** Initramfs, boot loader configuration, boot loaders on every disk, and the package manager's record of them. */
  steps(context: BootContext): Step[];
  /** The loader that a UEFI boot entry names, on the ESP, with back slashes. */
  uefiLoader: (image: ImageFacts) => string;
  /** Whether its menu boots under the firmware alone that it was written under. */
  oneFirmware?: (image: ImageFacts) => boolean;
}

export const families: Readonly<Record<ImageFacts["family"], Family>> = { debian, redhat, suse };
