import type { DiskFormat } from "./disk-format.ts";
import { openAppliance } from "./ova/appliance.ts";
import { assertMember } from "./ova/manifest.ts";
import { withSource } from "./source.ts";
import { appearWhole } from "./sparse-file.ts";
import { convertVmdk } from "./vmdk/convert.ts";
import { VmdkImage } from "./vmdk/image.ts";

/**
 * A virtual appliance in one file, with one disk. The disk is read in place; other files in it are not looked at.
 * @throws Failure `ova-` and an OvaProblem, `vmdk-` and a VmdkProblem (integrity)
 */
export const ova: DiskFormat = {
  describe: (path) =>
    withSource(path, async (archive) => {
      const { summary, disk, diskDigest, hasCertificate } = await openAppliance(archive);
      const { virtualSizeBytes, ...details } = (await VmdkImage.open(disk)).info;
      const { diskFileBytes: _, ...ovf } = summary;
      return {
        format: "ova",
        fileSizeBytes: archive.sizeBytes,
        virtualSizeBytes,
        details: { ...ovf, ...details, manifest: diskDigest?.algorithm ?? "none", certificate: hasCertificate },
      };
    }),

  convert: (path, destination, { maximumBytes, ...options }) =>
    withSource(path, async (archive) => {
      const { disk, diskDigest } = await openAppliance(archive);
      const image = await VmdkImage.open(disk, maximumBytes);
      await appearWhole(destination, (partial) =>
        // Side by side, so that what one reads is in the page cache for the other.
        sideBySide(options.signal, [
          (signal) => convertVmdk(image, partial, { ...options, signal }),
          async (signal) => {
            if (diskDigest) await assertMember(path, disk, diskDigest, signal);
          },
        ]),
      );
    }),
};

/** Does several things at once. When one fails, the others are aborted, waited for, and its error is thrown. */
async function sideBySide(
  signal: AbortSignal | undefined,
  works: readonly ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const failing = new AbortController();
  const either = signal ? AbortSignal.any([signal, failing.signal]) : failing.signal;
  const guarded = works.map(async (work) => {
    try {
      await work(either);
    } catch (error) {
      failing.abort(error);
      throw error;
    }
  });
  await Promise.allSettled(guarded);
  // The first failure is also the reason why the others were aborted.
  either.throwIfAborted();
}
