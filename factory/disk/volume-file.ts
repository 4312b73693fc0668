import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { Failure } from "../../common/failure.ts";
import type { MountNamespace } from "../namespace.ts";
import type { DiskFile } from "./block-source.ts";
import { runInJail } from "./jail.ts";
import type { Volume } from "./volume.ts";

/** What every mount of one disk needs. */
export interface MountContext {
  namespace: MountNamespace;
  disk: DiskFile;
  /** A folder for copies of volumes. */
  scratch: string;
  /** Those made already, by the volume's name. */
  copies: Map<string, VolumeCopy>;
  signal?: AbortSignal;
}

interface VolumeCopy {
  place: VolumeFile;
  isPlayedBack: boolean;
}

/** Where a volume's bytes lie in one piece. */
export interface VolumeFile {
  file: string;
  range: { offsetBytes: number; sizeBytes: number };
}

/**
 * A volume in one piece is read where it lies. One in pieces is copied together first, and one whose journal holds
 * changes is copied so that they can be played back: without them it is an older state, perhaps without its last files.
 * The disk itself is never written to.
 */
export async function locateVolume(context: MountContext, volume: Volume): Promise<VolumeFile> {
  const { name, pieces, fileSystem } = volume;
  const copy = context.copies.get(name);
  if (copy) return copy.place;
  if (fileSystem.journal === "dirty") return copyPlayedBack(context, volume);
  const [only, ...others] = pieces;
  if (only && others.length === 0) return { file: context.disk.path, range: only };
  const place = await copyVolume(context, volume);
  context.copies.set(name, { place, isPlayedBack: false });
  return place;
}

/** Copies a volume and plays its journal back: ext by its own tool, the others as only the kernel can, by a mount. */
export async function copyPlayedBack(context: MountContext, volume: Volume): Promise<VolumeFile> {
  const { namespace, scratch, signal } = context;
  const place = await copyVolume(context, volume);
  const { kind } = volume.fileSystem;
  if (kind === "xfs" || kind === "btrfs") {
    const directory = join(scratch, "playback");
    await mkdir(directory, { recursive: true });
    const options = ["noexec", ...(kind === "xfs" ? ["nouuid"] : [])];
    await namespace.mount({ source: place.file, directory, type: kind, options, ...(signal && { signal }) });
    await namespace.unmount(directory);
  } else {
    const binds = [{ source: place.file, name: "volume", access: "write" }] as const;
    // e2fsck(8): 1 means that something was corrected.
    const options = { doing: `playing back the journal of ${volume.name}`, accept: [0, 1], ...(signal && { signal }) };
    await runInJail(namespace, place.file, binds, ["e2fsck", "-y", "-E", "journal_only", "/volume"], options);
  }
  context.copies.set(volume.name, { place, isPlayedBack: true });
  return place;
}

/** Every byte of a volume that is copied is read, holes too: a small file can claim to be a disk of petabytes. */
const largestCopyBytes = 256 * 2 ** 30;

/** @throws Failure `volume-too-large` (failed) */
async function copyVolume(context: MountContext, { name, pieces, sizeBytes }: Volume): Promise<VolumeFile> {
  const { disk, scratch, signal } = context;
  if (sizeBytes > largestCopyBytes) throw tooLarge(name, sizeBytes);
  const zeros = Buffer.alloc(2 ** 20);
  const path = join(scratch, `${encodeURIComponent(name)}.raw`);
  await using file = await open(path, "w");
  await file.truncate(sizeBytes);
  let position = 0;
  for (const piece of pieces) {
    for (let done = 0; done < piece.sizeBytes; done += zeros.length) {
      signal?.throwIfAborted();
      const bytes = await disk.read(piece.offsetBytes + done, Math.min(zeros.length, piece.sizeBytes - done));
      if (!bytes.equals(zeros.subarray(0, bytes.length))) await file.write(bytes, 0, bytes.length, position + done);
    }
    position += piece.sizeBytes;
  }
  return { file: path, range: { offsetBytes: 0, sizeBytes } };
}

function tooLarge(name: string, sizeBytes: number): Failure {
  return new Failure({
    code: "volume-too-large",
    kind: "failed",
    message: `copying the volume ${name}: it has ${sizeBytes} bytes, and the limit is ${largestCopyBytes}`,
    hint: "only a volume in several pieces or with unfinished changes in its journal is copied: mount it once, unmount it, or make the image smaller",
    data: { sizeBytes, limitBytes: largestCopyBytes },
  });
}
