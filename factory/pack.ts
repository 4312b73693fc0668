import { open } from "node:fs/promises";
import { availableParallelism } from "node:os";
import type { Advance } from "../common/event.ts";
import { Failure } from "../common/failure.ts";
import { run } from "../common/run.ts";
import type { Manifest, Shard } from "../mirror/manifest.ts";
import { archiveMembers } from "./archive-members.ts";
import { compressFrame, FrameWriter, framePlainBytes, type PackedFrame } from "./frame-writer.ts";
import { type PlannedShard, planShards } from "./shard-plan.ts";
import { firstChange, listTree, unpackedSize } from "./tree.ts";

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

/** An archive ends with two blocks of zeros (POSIX pax, "ustar Interchange Format"); ours has them once. */
const archiveEnd = Buffer.alloc(2 * 512);

/** One shard's files are read while those of the one before are still being compressed. */
const shardsAtOnce = 2;

/**
 * Packs a tree as contract 1 has it: whole members in shards, shards in independent zstd frames, and all of it one
 * ordinary archive. The same tree gives the same bytes. Memory: some frames, whatever the tree's size.
 * @throws Failure `command-failed` where a file can't be read; `tree-changed`; `interrupted`
 */
export async function pack(options: PackOptions): Promise<PackedImage> {
  const { tree, destination, shardBytes, signal, advance } = options;
  const entries = await listTree(tree);
  const planned = planShards(entries, shardBytes);
  const unpackedBytes = unpackedSize(entries);
  await using file = await open(destination, "wx");
  const writer = new FrameWriter(file);
  const stop = new AbortController();
  const interrupt = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  let packedBytes = 0;
  const write = async (frame: PackedFrame) => {
    await writer.write(frame);
    packedBytes += frame.plainBytes;
    advance?.(packedBytes, unpackedBytes);
  };
  const packing: Promise<Shard>[] = [];
  try {
    let turn: Promise<Shard> | undefined;
    for (const [index, shard] of planned.entries()) {
      await packing[index - shardsAtOnce];
      const isLast = index === planned.length - 1;
      turn = packShard(shard, { ...options, signal: interrupt }, { turn, isLast, write });
      // Its failure is that of whoever waits for it, in its turn.
      turn.catch(() => undefined);
      packing.push(turn);
    }
    const shards = await Promise.all(packing);
    expectUnchanged(tree, firstChange(entries, await listTree(tree)));
    await file.sync();
    return { ...writer.finish(), unpackedBytes, frames: writer.frames, shards };
  } catch (error) {
    stop.abort();
    await Promise.allSettled(packing);
    throw error;
  }
}

/** Shards are read one after another: of a tree that changes meanwhile they'd show a state that never was. */
function expectUnchanged(tree: string, path: Buffer | undefined): void {
  if (!path) return;
  throw new Failure({
    code: "tree-changed",
    kind: "failed",
    message: `packing ${tree}: ${JSON.stringify(path.toString())} changed meanwhile`,
    hint: "end what still writes to the tree",
  });
}

interface ShardOutput {
  /** The shard before: this one's frames come after that one's. */
  turn: Promise<Shard> | undefined;
  isLast: boolean;
  write: (frame: PackedFrame) => Promise<void>;
}

async function packShard(
  { content, paths }: PlannedShard,
  options: PackOptions,
  { turn, isLast, write }: ShardOutput,
): Promise<Shard> {
  const inWork: Promise<PackedFrame>[] = [];
  const limit = availableParallelism();
  let frameCount = 0;
  let plainBytes = 0;
  const writeFirst = async () => {
    await turn;
    const frame = await inWork.shift();
    if (frame) await write(frame);
  };
  await readMembers(paths, options, async (members) => {
    for await (const plain of cutFrames(members, isLast ? archiveEnd : undefined)) {
      if (inWork.length >= limit) await writeFirst();
      const frame = compressFrame(plain);
      frame.catch(() => undefined);
      inWork.push(frame);
      frameCount += 1;
      plainBytes += plain.length;
    }
  });
  while (inWork.length > 0) await writeFirst();
  const before = await turn;
  const firstFrame = before ? before.firstFrame + before.frameCount : 0;
  return { content, firstFrame, frameCount, plainBytes };
}

/**
 * The process namespace makes tar process 1: the names of sparse files' headers hold its process id, and nothing
 * turns that off. Holes are found by reading, since where a file system keeps them is its own affair.
 */
async function readMembers(
  paths: readonly Buffer[],
  { tree, latestTime, signal }: PackOptions,
  consume: (members: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<void> {
  const input = Buffer.concat(paths.flatMap((path) => [Buffer.from("./"), path, Buffer.from([0])]));
  const format = ["--format=posix", "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime"];
  const keep = ["--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls", "--selinux"];
  const content = ["--sparse", "--hole-detection=raw", `--mtime=@${latestTime}`, "--clamp-mtime"];
  const names = ["--null", "--no-recursion", "--files-from=-"];
  // Records of 256 KiB: with tar's own 10 KiB, writing and reading them costs more than all the rest.
  const where = ["--create", "--file=-", "--blocking-factor=512", `--directory=${tree}`];
  const program = ["--pid", "--fork", "--kill-child", "tar", ...where, ...format, ...keep, ...content, ...names];
  const doing = `packing ${paths.length} files of ${tree}`;
  let isWhole = false;
  const onEnd = () => {
    isWhole = true;
  };
  await run("unshare", program, {
    doing,
    input,
    killSignal: "SIGKILL",
    consume: (stdout) => consume(archiveMembers(stdout, onEnd)),
    ...(signal && { signal }),
  });
  if (!isWhole) throw new Failure({ code: "archive-malformed", kind: "failed", message: `${doing}: tar broke off` });
}

/** @param end added to the bytes */
async function* cutFrames(
  bytes: AsyncIterable<Uint8Array>,
  end: Uint8Array = new Uint8Array(),
): AsyncGenerator<Uint8Array, void, undefined> {
  let frame = Buffer.allocUnsafeSlow(framePlainBytes);
  let filled = 0;
  const withEnd = async function* () {
    yield* bytes;
    yield end;
  };
  for await (const chunk of withEnd()) {
    for (let position = 0; position < chunk.length; ) {
      const part = chunk.subarray(position, position + frame.length - filled);
      frame.set(part, filled);
      filled += part.length;
      position += part.length;
      if (filled < frame.length) continue;
      yield frame;
      frame = Buffer.allocUnsafeSlow(framePlainBytes);
      filled = 0;
    }
  }
  if (filled > 0) yield frame.subarray(0, filled);
}
