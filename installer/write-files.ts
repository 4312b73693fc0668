import { mkdir, open, rename, rm, symlink } from "node:fs/promises";
import { dirname } from "node:path";
import { resolveInRoot } from "../common/rooted-path.ts";
import { reveal } from "../common/secret.ts";
import type { TargetFile } from "./step.ts";

/** Writes files into the target: whole or not at all, owned by root, never through a link that leads out of it. */
export async function writeFiles(target: string, files: readonly TargetFile[]): Promise<void> {
  for (const file of files) {
    const path = await resolveInRoot(target, file.path, "keep");
    await mkdir(dirname(path), { recursive: true });
    const temporary = `${path}.metalcast-new`;
    await rm(temporary, { force: true });
    if ("symlink" in file) await symlink(file.symlink, temporary);
    else await writeFile(temporary, reveal(file.content), file.mode);
    await rename(temporary, path);
  }
}

async function writeFile(path: string, content: string, mode: number): Promise<void> {
  await using handle = await open(path, "wx", mode);
  await handle.chmod(mode);
  await handle.writeFile(content);
  await handle.sync();
}
