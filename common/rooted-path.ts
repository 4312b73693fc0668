import { readlink } from "node:fs/promises";
import { join } from "node:path";
import { Failure } from "./failure.ts";

/**
 * Where a path of a foreign file system tree really lies, with symbolic links followed inside that tree, as a process
 * chrooted there would. A vendor image's links so never lead out of it.
 * @param path as seen inside the tree; its last components need not exist
 * @param last what to do with a link at the very end: reading follows it, writing replaces it
 * @throws Failure `link-loop` (integrity)
 */
export async function resolveInRoot(root: string, path: string, last: "follow" | "keep"): Promise<string> {
  const pending = path.split("/").filter(Boolean);
  let resolved: string[] = [];
  for (let followed = 0; pending.length > 0; ) {
    const name = pending.shift();
    if (name === undefined || name === ".") continue;
    if (name === "..") {
      resolved.pop();
      continue;
    }
    const follow = pending.length > 0 || last === "follow";
    const link = follow ? await readLink(join(root, ...resolved, name)) : undefined;
    if (link === undefined) {
      resolved.push(name);
      continue;
    }
    followed += 1;
    if (followed > 40) {
      throw new Failure({
        code: "link-loop",
        kind: "integrity",
        message: `resolving ${path} below ${root}: too many symbolic links`,
      });
    }
    if (link.startsWith("/")) resolved = [];
    pending.unshift(...link.split("/").filter(Boolean));
  }
  return join(root, ...resolved);
}

async function readLink(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EINVAL" || code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}
