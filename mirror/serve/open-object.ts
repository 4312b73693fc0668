import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, open, readlink } from "node:fs/promises";
import { join, sep } from "node:path";
import { entityTag } from "../entity-tag.ts";
import { checkKey } from "../key.ts";
import type { Representation } from "./judge-request.ts";

interface OpenedObject extends Representation {
  key: string;
  file: FileHandle;
}

type Outcome = OpenedObject | { status: 403 | 404 } | { status: 301; location: string };

const indexName = "index.html";

/**
 * Opens what a request asks for: a regular file below the root at a store's key, the index page of a directory that has
 * one, and nothing else.
 * @param root the directory's real path
 * @param target of the request line (RFC 9112, 3.2)
 */
export async function openObject(root: string, target: string): Promise<Outcome> {
  const key = parseKey(target);
  if (key === undefined) return { status: 404 };
  const opened = await openInside(root, key);
  if (typeof opened === "number") return { status: opened };
  const { file, found } = opened;
  if (found.isFile()) return { key, file, ...represent(found) };
  await file.close();
  return found.isDirectory() && (await hasIndex(root, key)) ? { status: 301, location: `/${key}/` } : { status: 404 };
}

/** What is no key names no object: neither hidden files nor `..`, a NUL or a slash in disguise get any further. */
function parseKey(target: string): string | undefined {
  const path = target.startsWith("/") ? target.replace(/\?.*$/s, "") : URL.parse(target)?.pathname;
  if (path === undefined) return undefined;
  try {
    const parts = path.slice(1).split("/").map(decodeURIComponent);
    if (parts.at(-1) === "") parts[parts.length - 1] = indexName;
    if (parts.some((part) => part.includes("/"))) return undefined;
    const key = parts.join("/");
    checkKey(key);
    return key;
  } catch {
    return undefined;
  }
}

async function openInside(root: string, key: string): Promise<{ file: FileHandle; found: BigIntStats } | 403 | 404> {
  // Without O_NONBLOCK, the opening of a named pipe would wait for a writer.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  try {
    const file = await open(join(root, key), flags);
    // Asked of what is open, so that nobody can put a link there in between.
    const [path, found] = await Promise.all([readlink(`/proc/self/fd/${file.fd}`), file.stat({ bigint: true })]);
    if (isInside(root, path)) return { file, found };
    await file.close();
    return 403;
  } catch (error) {
    return statusOf(error);
  }
}

/** A link may lead from one place in the directory to another: not out of it, and to nothing hidden. */
function isInside(root: string, path: string): boolean {
  const prefix = root.endsWith(sep) ? root : root + sep;
  return path === root || (path.startsWith(prefix) && !path.slice(prefix.length - 1).includes("/."));
}

async function hasIndex(root: string, key: string): Promise<boolean> {
  const opened = await openInside(root, `${key}/${indexName}`);
  if (typeof opened === "number") return false;
  await opened.file.close();
  return opened.found.isFile();
}

function represent(found: BigIntStats): Representation {
  const modifiedAt = new Date(Number(found.mtimeNs / 1_000_000_000n) * 1000);
  return { etag: `"${entityTag(found)}"`, modifiedAt, sizeBytes: Number(found.size) };
}

const missing = ["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG", "ENXIO"];

function statusOf(error: unknown): 403 | 404 {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (missing.includes(code)) return 404;
  if (code === "EACCES" || code === "EPERM") return 403;
  throw error;
}
