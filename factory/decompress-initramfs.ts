import { basename } from "node:path";
import { promisify } from "node:util";
import { gunzip, zstdDecompress } from "node:zlib";
import { Failure } from "../common/failure.ts";
import { run } from "../common/run.ts";

/** What the kernel decompresses and Node does not; by the first bytes (kernel's lib/decompress.c). */
const programs: readonly { magic: string; program: string; args: readonly string[] }[] = [
  // A file says how much memory its decompression takes: up to 4 GiB.
  { magic: "fd377a585a00", program: "xz", args: ["--format=xz", "--memlimit-decompress=256MiB"] },
  { magic: "02214c18", program: "lz4", args: [] },
];

/**
 * Decompresses the last part of an initramfs.
 * @param limitBytes what it may decompress to
 * @throws Failure `initramfs-invalid` (integrity), `initramfs-compression-unknown` (failed), `programs-missing`
 */
export async function decompressInitramfs(bytes: Buffer, path: string, limitBytes: number): Promise<Buffer> {
  // Large chunks decompress four times faster than those of Node's default.
  const options = { maxOutputLength: limitBytes, chunkSize: 2 ** 20 };
  const magic = bytes.toString("hex", 0, 6);
  try {
    if (magic.startsWith("28b52ffd")) return await promisify(zstdDecompress)(bytes, options);
    if (magic.startsWith("1f8b")) return await promisify(gunzip)(bytes, options);
    const known = programs.find((candidate) => magic.startsWith(candidate.magic));
    if (known) return await decompressWith(known.program, known.args, bytes, limitBytes);
  } catch (error) {
    if (error instanceof Failure && error.code === "programs-missing") throw error;
    throw initramfsInvalid(path, "its compressed part is damaged, or too large", error);
  }
  throw new Failure({
    code: "initramfs-compression-unknown",
    kind: "failed",
    message: `reading ${basename(path)}: its compressed part begins with ${magic.slice(0, 8)}`,
    hint: "let the image compress its initramfs with zstd or gzip",
  });
}

async function decompressWith(
  program: string,
  args: readonly string[],
  bytes: Buffer,
  limitBytes: number,
): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  await run(program, ["--decompress", "--stdout", ...args], {
    doing: "decompressing an initramfs",
    input: bytes,
    consume: async (stdout) => {
      for await (const part of stdout) {
        sizeBytes += part.length;
        if (sizeBytes > limitBytes) throw new RangeError(`more than ${limitBytes} bytes`);
        parts.push(part);
      }
    },
  });
  return Buffer.concat(parts);
}

export function initramfsInvalid(path: string, reason: string, cause?: unknown): Failure {
  return new Failure({
    code: "initramfs-invalid",
    kind: "integrity",
    message: `reading ${basename(path)}: ${reason}`,
    ...(cause === undefined ? {} : { cause }),
  });
}
