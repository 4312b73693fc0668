import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withLock } from "../../common/file-lock.ts";

/**
 * What is slow to build is built once for the same inputs; whoever wants it meanwhile waits. Nobody sees half an entry:
 * it is built beside its place and renamed.
 *
 * @param name first part of the entry's name; older entries of the same name are removed
 * @param inputs everything that the result depends on
 * @param build makes a file or a directory at the path it is given
 * @returns the entry's path, to be read only
 */
export async function cached(name: string, inputs: unknown, build: (path: string) => Promise<void>): Promise<string> {
  const directory = process.env.METALCAST_CACHE ?? "/var/cache/metalcast";
  const hash = createHash("sha256").update(JSON.stringify(inputs)).digest("hex").slice(0, 16);
  const entry = `${name}.${hash}`;
  const path = `${directory}/${entry}`;
  if (existsSync(path)) return path;
  const locks = join(tmpdir(), "metalcast-cache-locks");
  for (const place of [directory, locks]) await mkdir(place, { recursive: true });
  await withLock(join(locks, entry), async () => {
    if (existsSync(path)) return;
    const partial = `${path}.${process.pid}.partial`;
    try {
      await build(partial);
      await rename(partial, path);
    } catch (error) {
      await rm(partial, { recursive: true, force: true });
      throw error;
    }
    await removeOlder(directory, name, entry);
  });
  return path;
}

async function removeOlder(directory: string, name: string, entry: string): Promise<void> {
  for (const other of await readdir(directory)) {
    if (!other.startsWith(`${name}.`) || other === entry) continue;
    const builder = /\.(\d+)\.partial$/.exec(other)?.[1];
    if (builder && existsSync(`/proc/${builder}`)) continue;
    await rm(`${directory}/${other}`, { recursive: true, force: true });
  }
}
