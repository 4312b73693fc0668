import { lstat, readFile } from "node:fs/promises";
import { Failure } from "./failure.ts";
import { resolveInRoot } from "./rooted-path.ts";

/** More than any text of an operating system has; dpkg's status of a large server takes 5 MB. */
const textLimitBytes = 64 * 2 ** 20;

/**
 * Finds a regular file of a foreign tree, links followed inside that tree.
 * @returns its path for this process; undefined where there is none
 * @throws Failure `link-loop` (integrity)
 */
export async function findFile(tree: string, path: string): Promise<string | undefined> {
  const resolved = await resolveInRoot(tree, path, "follow");
  return (await isFile(resolved)) ? resolved : undefined;
}

/**
 * @returns undefined where there is no such regular file: reading a pipe would not end
 * @throws Failure `link-loop`, `file-too-large` (integrity)
 */
export async function readBytes(tree: string, path: string, limitBytes: number): Promise<Buffer | undefined> {
  const resolved = await findFile(tree, path);
  if (resolved === undefined) return undefined;
  const { size } = await lstat(resolved);
  if (size <= limitBytes) return readFile(resolved);
  const message = `reading what the image holds: /${path} has ${size} bytes, more than ${limitBytes}`;
  throw new Failure({ code: "file-too-large", kind: "integrity", message, data: { path, size, limitBytes } });
}

/** As `readBytes`. */
export async function readText(tree: string, path: string): Promise<string | undefined> {
  return (await readBytes(tree, path, textLimitBytes))?.toString("utf8");
}

/**
 * As `readText`, for what every image must have.
 * @throws Failure `file-missing` (failed)
 */
export async function requireText(tree: string, path: string): Promise<string> {
  const text = await readText(tree, path);
  if (text !== undefined) return text;
  const message = `reading what the image holds: there is no file /${path}`;
  throw new Failure({ code: "file-missing", kind: "failed", message });
}

async function isFile(path: string): Promise<boolean> {
  return lstat(path).then(
    (stats) => stats.isFile(),
    () => false,
  );
}
