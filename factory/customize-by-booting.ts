import { type Emit, note, reportStep } from "../common/event.ts";
import { Failure } from "../common/failure.ts";
import type { CatalogImage } from "./catalog.ts";
import { customizeDisk } from "./customize-disk.ts";
import type { CustomizeOptions } from "./customize-run.ts";
import type { CustomizeChoice } from "./customize-way.ts";
import { convertToDisk } from "./formats/convert-to-disk.ts";
import { isArchive } from "./image-format.ts";
import type { ImageFile } from "./open-image.ts";
import type { Workspace } from "./workspace.ts";

/**
 * Boots the vendor's disk, in a virtual machine or in a cloud, and runs the provisioning scripts there.
 * @returns the disk that came of it, to be opened as a vendor's is
 * @throws Failure `customize-way-unfit` (configuration) for an archive; those of `convertToDisk` and `customizeDisk`
 */
export async function customizeByBooting(
  image: CatalogImage,
  file: ImageFile,
  choice: Exclude<CustomizeChoice, { way: "chroot" }>,
  options: CustomizeOptions & { workspace: Workspace; emit: Emit },
): Promise<ImageFile> {
  const { workspace, emit, signal } = options;
  if (isArchive(file.format)) {
    throw new Failure({
      code: "customize-way-unfit",
      kind: "configuration",
      message: `customizing ${image.name} by ${choice.way}: a ${file.format} is no disk that could be booted`,
      hint: "customize it in a chroot, or take the vendor's disk image",
    });
  }
  const raw = workspace.path("vendor.raw");
  await reportStep(emit, { step: "convert-vendor", title: `Read the disk from its ${file.format}` }, (advance) =>
    convertToDisk(file.path, file.format, raw, { ...(signal && { signal }), advance }),
  );
  const disk = { path: raw, format: "raw" } as const;
  const customized = await reportStep(emit, { step: "customize", title: "Boot it and customize it for metal" }, () =>
    customizeDisk(image, { ...options, ...choice, disk, destination: workspace.path("customized.img") }),
  );
  for (const leftover of customized.leftovers) note(emit, `could not be removed: ${leftover}`);
  return customized;
}
