import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { run } from "../../../common/run.ts";
import type { Qcow2Source } from "../../../factory/qcow2-parser/index.ts";

/** Text, noise, zeros, and text again, with an end that fills no cluster. */
function makeDisk(): Buffer {
  const text = (bytes: number) =>
    Buffer.from("cast cloud images onto bare metal\n".repeat(bytes / 34 + 1)).subarray(0, bytes);
  const MiB = 2 ** 20;
  return Buffer.concat([
    text(MiB / 2 + 300),
    randomBytes(MiB / 4),
    text(MiB / 2),
    Buffer.alloc(3 * MiB),
    randomBytes(MiB / 8),
    text(212),
  ]);
}

/** @param options as `qemu-img -o` takes them; `compress` adds -c */
export async function convertToQcow2(raw: string, qcow2: string, options: string, compress = false): Promise<void> {
  const args = ["convert", ...(compress ? ["-c"] : []), "-f", "raw", "-O", "qcow2", "-o", options, raw, qcow2];
  await run("qemu-img", args, { doing: "making a qcow2 image" });
}

export async function createQcow2(qcow2: string, options: string, size: string): Promise<void> {
  await run("qemu-img", ["create", "-q", "-f", "qcow2", "-o", options, qcow2, size], {
    doing: "making an empty qcow2",
  });
}

/** Changes a qcow2 image as a guest would: `write -z 0 64k`, `discard 1M 1M`. */
export async function change(qcow2: string, ...commands: string[]): Promise<void> {
  const args = ["-f", "qcow2", "-d", "unmap", ...commands.flatMap((command) => ["-c", command]), qcow2];
  await run("qemu-io", args, { doing: "changing a qcow2 image" });
}

/** What QEMU itself reads from the image. */
export async function readWithQemu(qcow2: string): Promise<Buffer> {
  const raw = `${qcow2}.reference`;
  await run("qemu-img", ["convert", "-f", "qcow2", "-O", "raw", qcow2, raw], { doing: "reading a qcow2 image" });
  return readFile(raw);
}

export async function writeRawDisk(path: string): Promise<string> {
  await writeFile(path, makeDisk());
  return path;
}

/** An image in memory that remembers the largest read. */
export function memorySource(bytes: Buffer): Qcow2Source & { largestRead: number; closed: boolean } {
  return {
    sizeBytes: bytes.length,
    largestRead: 0,
    closed: false,
    async read(buffer, position) {
      this.largestRead = Math.max(this.largestRead, buffer.length);
      return bytes.copy(buffer, 0, position, Math.min(bytes.length, position + buffer.length));
    },
    async close() {
      this.closed = true;
    },
  };
}
