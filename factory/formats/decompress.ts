import { PassThrough, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import type { Advance } from "../../common/event.ts";
import { Failure } from "../../common/failure.ts";
import { run } from "../../common/run.ts";
import { type ByteSource, readChunks } from "./source.ts";
import { ZstdFrames } from "./zstd-frames.ts";

export type Compression = "xz" | "gz" | "zst";

export interface DecompressOptions {
  /** More than this is refused. */
  maximumBytes: number;
  signal?: AbortSignal;
  /** Compressed bytes read, and of how many. */
  advance?: Advance;
}

/** Node's default of 16 KiB costs more than half of the speed. */
const chunkSize = 2 ** 20;

/**
 * Both check the integrity of what they read, and refuse what follows its end. xz(1) uses several threads; Node's own
 * zstd decoder ends without a word after the first of several frames. Memory: enough for `xz -9` and `zstd -22`; with
 * other settings a file could ask for gigabytes.
 */
const programs: Readonly<Record<"xz" | "zst", readonly [string, ...string[]]>> = {
  xz: ["xz", "--decompress", "--stdout", "--format=xz", "--threads=0", "--memlimit-decompress=512MiB"],
  zst: ["zstd", "--decompress", "--stdout", "--quiet", "--memory=128MB"],
};

/**
 * The plain bytes of a compressed file: one stream, or several of the same kind one after another, and nothing else.
 * @throws Failure `image-truncated`, `stream-corrupt`, `stream-trailing`, `image-too-large` (integrity)
 */
export async function* decompress(
  source: ByteSource,
  compression: Compression,
  { maximumBytes, signal, advance }: DecompressOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const read = counted(source, signal, advance);
  const compressed = compression === "zst" ? watched(source, read) : read;
  const plain = compression === "gz" ? gunzip(source, compressed) : unpack(source, compressed, compression, signal);
  let bytes = 0;
  for await (const chunk of plain) {
    bytes += chunk.length;
    if (bytes > maximumBytes) throw refusal(source, "image-too-large", `more than ${maximumBytes} bytes come out`);
    yield chunk;
  }
}

async function* counted(source: ByteSource, signal?: AbortSignal, advance?: Advance): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of readChunks(source, signal)) {
    yield chunk;
    bytes += chunk.length;
    advance?.(bytes, source.sizeBytes);
  }
}

async function* watched(source: ByteSource, compressed: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const frames = new ZstdFrames((code, reason) => refusal(source, code, reason));
  for await (const chunk of compressed) {
    frames.push(chunk);
    yield chunk;
  }
  frames.end();
}

async function* gunzip(source: ByteSource, compressed: AsyncIterable<Buffer>) {
  const engine = createGunzip({ chunkSize });
  // Its error is the engine's too, and reaches the reader below.
  const feeding = pipeline(Readable.from(compressed), engine).catch(() => {});
  try {
    for await (const chunk of engine) if (chunk instanceof Uint8Array) yield chunk;
  } catch (error) {
    throw asStreamFailure(source, error);
  } finally {
    engine.destroy();
    await feeding;
  }
  // Node drops, without a word, zeros that follow the end of a gzip stream.
  if (engine.bytesWritten < source.sizeBytes) {
    throw refusal(source, "stream-trailing", `its data ends at byte ${engine.bytesWritten}, the file does not`);
  }
}

async function* unpack(
  source: ByteSource,
  compressed: AsyncIterable<Buffer>,
  compression: "xz" | "zst",
  signal?: AbortSignal,
) {
  const [program, ...args] = programs[compression];
  const output = new PassThrough({ highWaterMark: 4 * chunkSize });
  const reader = new AbortController();
  // The end is passed on when the program has succeeded, not when it closes its output.
  const running = run(program, args, {
    doing: `decompressing ${source.name}`,
    input: compressed,
    consume: (stdout) => pipeline(stdout, output, { end: false }),
    signal: signal ? AbortSignal.any([signal, reader.signal]) : reader.signal,
  }).then(
    () => output.end(),
    (error: unknown) => output.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  try {
    for await (const chunk of output) if (chunk instanceof Uint8Array) yield chunk;
  } catch (error) {
    throw asStreamFailure(source, error);
  } finally {
    reader.abort();
    output.destroy();
    await running;
  }
}

/** What is none of the decompressors' own errors stays as it is. */
function asStreamFailure(source: ByteSource, error: unknown): unknown {
  const isProgram = error instanceof Failure && error.code === "command-failed";
  const isEngine = error instanceof Error && "code" in error && /^Z_/.test(String(error.code));
  if (!isProgram && !isEngine) return error;
  const isCut = /unexpected end of (file|input)/i.test(error.message);
  const reason = error.message.replace(`decompressing ${source.name}: `, "");
  return refusal(source, isCut ? "image-truncated" : "stream-corrupt", reason, error);
}

const hints = {
  "image-truncated": "the file is cut short: compare its size and checksum with the vendor's",
  "stream-corrupt": "the file is damaged: compare its size and checksum with the vendor's",
  "stream-trailing": "the file was padded or put together of several: get it again from its vendor",
  "image-too-large": "an image of this size is hardly meant to be installed: look at where it came from",
};

function refusal({ name }: ByteSource, code: keyof typeof hints, reason: string, cause?: unknown): Failure {
  const message = `decompressing ${name}: ${reason}`;
  return new Failure({
    code,
    kind: "integrity",
    message,
    hint: hints[code],
    ...(cause === undefined ? {} : { cause }),
  });
}
