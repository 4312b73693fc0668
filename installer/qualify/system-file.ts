import { readdir, readFile } from "node:fs/promises";

/** The text of a file of /sys or /proc without the white space around it; empty where there is none. */
export async function readWord(path: string): Promise<string> {
  return (await readFile(path, "utf8").catch(() => "")).trim();
}

/** @returns undefined where the file is not there or holds no number */
export async function readNumber(path: string): Promise<number | undefined> {
  const text = await readWord(path);
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}

/** Names in a folder, sorted; none where it is not there. */
export async function listFolder(path: string): Promise<string[]> {
  return (await readdir(path).catch(() => [])).sort();
}
