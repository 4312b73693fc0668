import { createHash } from "node:crypto";
import { availableParallelism } from "node:os";
import { getDefaultHighWaterMark } from "node:stream";
import type { Advance } from "../common/event.ts";
import { Failure } from "../common/failure.ts";
import { run } from "../common/run.ts";
import { type Manifest, openStore, parseManifest, readShard, type Store } from "../mirror/index.ts";
import { manifestLimitBytes } from "../mirror/manifest.ts";
import { readWhole } from "../mirror/read-whole.ts";
import { release } from "../mirror/release.ts";
import { patientAttempts, type RetryOptions } from "../mirror/retry.ts";
import type { Step } from "./step.ts";
import { keepEverything } from "./tar-arguments.ts";

type LayImage = Extract<Step, { kind: "lay-image" }>;

const tarArguments = [
  "--extract",
  "--file=-",
  // Fewer, larger reads and writes; the default is 10 KiB.
  "--blocking-factor=128",
  "--same-owner",
  "--same-permissions",
  "--overwrite",
  ...keepEverything,
];

/** For frames in flight, in all lanes together; Node and what the collector has not come to take some 160 MiB beside it. */
const frameMemoryBytes = 48 * 2 ** 20;

/** More tars than this get into each other's way in the file system. */
const laneLimit = 4;

/**
 * Lays the image into the mounted target: every frame is fetched, verified, then unpacked. Directories come first and,
 * for their own metadata, once more at the end; between the two, shards of files unpack side by side, the largest
 * first. Memory: below 256 MiB, whatever the image's size. A mirror that does not answer is waited for, a minute or two:
 * the disks are blank by now.
 * @throws Failure `manifest-hash-mismatch` (integrity), those of `readShard`, `command-failed` from tar
 */
export async function layImage(
  { image, target }: LayImage,
  advance: Advance,
  signal: AbortSignal,
  onRetry?: RetryOptions["onRetry"],
): Promise<void> {
  const store = openStore(image.mirror);
  const retry = onRetry ? { onRetry } : {};
  const manifest = await readPlannedManifest(store, image, { ...retry, signal });
  const key = `${image.prefix}image.tar.zst`;
  let unpackedBytes = 0;
  const totalBytes = manifest.shards.reduce((sum, { plainBytes }) => sum + plainBytes, 0);
  const stop = new AbortController();
  const options = { signal: AbortSignal.any([signal, stop.signal]) };
  const readOptions = { ...options, ...retry };

  // One tar for one shard and, of more that wait, all it comes to: starting another takes as long as unpacking megabytes.
  const unpack = async (first: number, waiting: number[] = []) => {
    const plain = async function* () {
      for (let shard: number | undefined = first; shard !== undefined; shard = waiting.shift()) {
        for await (const frame of readShard(store, key, manifest, shard, readOptions)) {
          unpackedBytes += frame.length;
          advance(unpackedBytes, totalBytes);
          yield frame;
          // Whoever asks for the next one has written this one out: a stream holds on to smaller ones only.
          if (frame.length >= getDefaultHighWaterMark(false)) release(frame);
        }
      }
    };
    const doing = `unpacking ${image.name}@${image.version}`;
    await run("tar", [...tarArguments, `--directory=${target}`], { doing, input: plain(), ...options });
  };

  const shards = manifest.shards.map(({ content, plainBytes }, index) => ({ content, plainBytes, index }));
  const [directories, ...settling] = shards.filter(({ content }) => content === "directories");
  const files = shards.filter(({ content }) => content === "files").sort((a, b) => b.plainBytes - a.plainBytes);
  const waiting = files.map(({ index }) => index);
  if (directories) await unpack(directories.index);
  const lanes = waiting.splice(0, countLanes(manifest)).map((first) => unpack(first, waiting));
  await Promise.all(lanes).catch(async (error: unknown) => {
    stop.abort();
    await Promise.allSettled(lanes);
    throw error;
  });
  for (const { index } of settling) await unpack(index);
}

/** As many as there are processors for, and memory: a lane holds a frame packed, twice while it is hashed, and two plain. */
function countLanes({ frames }: Manifest): number {
  const largest = frames.reduce((most, { sizeBytes, plainBytes }) => Math.max(most, 2 * sizeBytes + 2 * plainBytes), 0);
  return Math.max(1, Math.min(availableParallelism(), laneLimit, Math.floor(frameMemoryBytes / largest)));
}

/** The mirror may have moved on since the plan was made: only the very manifest that was planned with counts. */
async function readPlannedManifest(store: Store, image: LayImage["image"], options: RetryOptions): Promise<Manifest> {
  const limits = { limitBytes: manifestLimitBytes, limit: patientAttempts };
  const bytes = await readWhole(store, `${image.prefix}manifest.json`, { ...options, ...limits });
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found === image.manifestSha256) return parseManifest(bytes);
  throw new Failure({
    code: "manifest-hash-mismatch",
    kind: "integrity",
    message: `laying ${image.name}@${image.version}: the manifest in ${image.mirror} is not the one that was planned with`,
    hint: "make a new plan; if it happens again, check the mirror with `metalcast list`",
    data: { expected: image.manifestSha256, found },
  });
}
