import { readlink } from "node:fs/promises";
import { join } from "node:path";
import { Failure } from "../common/failure.ts";

const maximumLinks = 40;

/**
 * Follows a path below a foreign tree as if the tree were the whole file system: an absolute link starts at the tree,
 * `..` stops at it. Reading through the kernel instead would follow the tree's links into this machine's own files.
 * @returns a path that has no links in it; its last components may be missing
 * @throws Failure `links-endless` (integrity)
 */
export async function resolveInTree(tree: string, path: string): Promise<string> {
  const pending = path.split("/").reverse();
  let resolved: string[] = [];
  let links = 0;
  for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
    if (part === "" || part === ".") continue;
    if (part === "..") {
      resolved.pop();
      continue;
    }
    const target = await readlink(join(tree, ...resolved, part)).catch(() => undefined);
    if (target === undefined) {
      resolved.push(part);
      continue;
    }
    links += 1;
    if (links > maximumLinks) throw endless(path);
    if (target.startsWith("/")) resolved = [];
    pending.push(...target.split("/").reverse());
  }
  return join(tree, ...resolved);
}

function endless(path: string): Failure {
  const message = `reading /${path} of the image: its symbolic links do not end`;
  return new Failure({ code: "links-endless", kind: "integrity", message });
}
