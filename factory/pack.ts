import { open, rm } from "node:fs/promises";
import type { Advance } from "../common/event.ts";
import { type RunOptions, run } from "../common/run.ts";
import type { Manifest, Shard } from "../mirror/manifest.ts";
import { FrameWriter, framePlainBytes } from "./frame-writer.ts";
import { type PlannedShard, planShards } from "./shard-plan.ts";
import { listTree, unpackedSize } from "./tree.ts";

export interface PackOptions {
  /** The tree, as this process sees it. */
  tree: string;
  /** The archive to make, `image.tar.zst`. */
  destination: string;
  /** Later modification times become this one: seconds since 1970. */
  latestTime: number;
  /** Plain bytes of one shard of files, about. */
  shardBytes?: number;
  signal?: AbortSignal;
  advance?: Advance;
}

export type PackedImage = Pick<Manifest, "frames" | "shards" | "unpackedBytes"> & { sizeBytes: number; sha256: string };

/** An archive ends with two blocks of zeros (POSIX pax, "ustar Interchange Format"); only the last shard's stay. */
const endBytes = 2 * 512;

/**
 * Packs a tree as contract 1 has it: whole members in shards, shards in independent zstd frames, and all of it one
 * ordinary archive. The same tree gives the same bytes.
 */
export async function pack(options: PackOptions): Promise<PackedImage> {
  const { tree, destination, shardBytes, signal, advance } = options;
  const entries = await listTree(tree);
  const planned = planShards(entries, shardBytes);
  const unpackedBytes = unpackedSize(entries);
  const scratch = `${destination}.shard`;
  await using file = await open(destination, "wx");
  const writer = new FrameWriter(file);
  const shards: Shard[] = [];
  let frameCount = 0;
  let packedBytes = 0;
  try {
    for (const [index, shard] of planned.entries()) {
      await writeShard(shard, scratch, options);
      const isLast = index === planned.length - 1;
      const plainBytes = await addFrames(writer, scratch, isLast ? 0 : endBytes, signal);
      const count = Math.ceil(plainBytes / framePlainBytes);
      shards.push({ content: shard.content, firstFrame: frameCount, frameCount: count, plainBytes });
      frameCount += count;
      packedBytes += plainBytes;
      advance?.(packedBytes, unpackedBytes);
    }
    const written = await writer.finish();
    await file.sync();
    return { ...written, unpackedBytes, frames: writer.frames, shards };
  } finally {
    await rm(scratch, { force: true });
  }
}

/**
 * The process namespace makes tar process 1: the names of sparse files' headers hold its process id, and nothing
 * turns that off. Holes are found by reading, since where a file system keeps them is its own affair.
 */
async function writeShard({ paths }: PlannedShard, destination: string, options: PackOptions): Promise<void> {
  const { tree, latestTime, signal } = options;
  const input = Buffer.concat(paths.flatMap((path) => [Buffer.from("./"), path, Buffer.from([0])]));
  const format = ["--format=posix", "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime"];
  const keep = ["--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls", "--selinux"];
  const content = ["--sparse", "--hole-detection=raw", `--mtime=@${latestTime}`, "--clamp-mtime"];
  const names = ["--null", "--no-recursion", "--files-from=-"];
  const where = ["--create", "--blocking-factor=1", `--file=${destination}`, `--directory=${tree}`];
  const runOptions: RunOptions = { doing: `packing ${paths.length} files`, input, ...(signal && { signal }) };
  await run(
    "unshare",
    ["--pid", "--fork", "--kill-child", "tar", ...where, ...format, ...keep, ...content, ...names],
    runOptions,
  );
}

/** @returns how many plain bytes became frames */
async function addFrames(writer: FrameWriter, path: string, dropBytes: number, signal?: AbortSignal): Promise<number> {
  await using file = await open(path);
  const plainBytes = (await file.stat()).size - dropBytes;
  for (let position = 0; position < plainBytes; position += framePlainBytes) {
    signal?.throwIfAborted();
    const length = Math.min(framePlainBytes, plainBytes - position);
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.allocUnsafeSlow(length), position });
    if (bytesRead !== length) throw new Error(`${path}: read ${bytesRead} bytes of ${length}`);
    await writer.add(buffer);
  }
  return plainBytes;
}
