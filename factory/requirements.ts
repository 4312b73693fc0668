import { access } from "node:fs/promises";
import { Failure } from "../common/failure.ts";
import { requirePrograms } from "../common/programs.ts";
import { checkRoot } from "../common/root.ts";
import type { CatalogImage } from "./catalog.ts";
import type { CustomizeWay } from "./customize-way.ts";
import { type ImageFormat, isArchive } from "./image-format.ts";

/** What opening any image runs. */
const opening = ["chroot", "mount", "nsenter", "rmdir", "setpriv", "setsid", "sync", "tar", "umount", "unshare"];

const packing = ["mke2fs", "packer", "tar"];

const programsOfWay: Readonly<Record<CustomizeWay, readonly string[]>> = {
  chroot: [],
  qemu: ["qemu-system-x86_64", "qemu-img"],
  openstack: [],
};

function openingPrograms(format: ImageFormat): string[] {
  const reading = isArchive(format) ? ["mke2fs"] : ["e2fsck", "mcopy"];
  const decompressing = format.endsWith(".xz") ? ["xz"] : format.endsWith(".zst") ? ["zstd"] : [];
  return [...opening, ...reading, ...decompressing, ...(format === "raw" ? ["cp"] : [])];
}

/**
 * Looks for all that a build needs of this machine, before anything is touched.
 * @throws Failure `not-root`, `programs-missing` and `loop-missing` (configuration)
 */
export async function assertCanBuild(image: CatalogImage, way: CustomizeWay, format: ImageFormat): Promise<void> {
  checkRoot("building an image");
  const verifying = "key" in image.source && image.source.key !== undefined ? ["gpgv"] : [];
  await requirePrograms(
    [...verifying, ...openingPrograms(format), ...packing, ...programsOfWay[way]],
    "building an image",
  );
  await requireLoopDevices("building an image");
}

/**
 * Looks for all that opening an image needs.
 * @throws Failure `not-root`, `programs-missing` and `loop-missing` (configuration)
 */
export async function assertCanOpen(format: ImageFormat): Promise<void> {
  checkRoot("opening an image");
  await requirePrograms(openingPrograms(format), "opening an image");
  await requireLoopDevices("opening an image");
}

/** Without them mount(8) says no more than that the operation is not permitted. */
async function requireLoopDevices(doing: string): Promise<void> {
  await access("/dev/loop-control").catch((cause: unknown) => {
    throw new Failure({
      code: "loop-missing",
      kind: "configuration",
      message: `${doing}: this kernel has no loop devices`,
      hint: "modprobe loop",
      cause,
    });
  });
}
