import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";

/** Makes a directory and its ancestors such that they outlast a power cut. */
export async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) await synchronize(dirname(made));
}

/** So that what was put into a directory, or renamed there, outlasts a power cut. */
export async function synchronize(directory: string): Promise<void> {
  await using handle = await open(directory, "r");
  await handle.sync();
}
