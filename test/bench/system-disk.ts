import { createHash } from "node:crypto";
import { type FileHandle, open, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

const MiB = 2 ** 20;
const blockBytes = 4096;

/**
 * Writes something like a system's disk: programs and libraries as they lie in /usr, text, and a sixth of it never
 * written. The same machine makes the same disk.
 */
export async function writeSystemDisk(path: string, sizeBytes: number): Promise<void> {
  await using disk = await open(path, "w");
  await disk.truncate(sizeBytes);
  const files = filesBelow("/usr");
  let position = 0;
  for (let round = 0; position < sizeBytes; round += 1) {
    position = await writeFiles(disk, files, position, Math.min(position + 48 * MiB, sizeBytes));
    const text = makeText(Math.min(16 * MiB, sizeBytes - position), round);
    await disk.write(text, 0, text.length, position);
    position += text.length + 16 * MiB;
  }
}

/** Fills the disk up to `end` with one file after the other, each from the beginning of a block. */
async function writeFiles(disk: FileHandle, files: AsyncIterator<string>, start: number, end: number): Promise<number> {
  let position = start;
  while (position < end) {
    const { value, done } = await files.next();
    if (done) throw new Error("/usr has too few files for the disk of this bench");
    const content = await readFile(value);
    const length = Math.min(content.length, end - position);
    await disk.write(content, 0, length, position);
    position += Math.ceil(length / blockBytes) * blockBytes;
  }
  return end;
}

async function* filesBelow(directory: string): AsyncGenerator<string> {
  const entries = await readdir(directory, { withFileTypes: true });
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (entry.isFile()) yield path;
  }
}

/** Words in an order that a hash decides, as if of a log. */
function makeText(bytes: number, seed: number): Buffer {
  const words =
    "the kernel mounted started listening on port failed to open session closed user root network link is up".split(
      " ",
    );
  const lines: Buffer[] = [];
  for (let length = 0, line = 0; length < bytes; line += 1) {
    const digest = createHash("sha256").update(`${seed} ${line}`).digest();
    const text = Array.from(digest.subarray(0, 12), (byte) => words[byte % words.length]).join(" ");
    lines.push(Buffer.from(`${line} ${digest.toString("hex", 12, 20)} ${text}\n`));
    length += lines.at(-1)?.length ?? 0;
  }
  return Buffer.concat(lines).subarray(0, bytes);
}
