import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundle } from "../lab/bundle.ts";
import { createServer } from "../lab/server.ts";
import { twoDisks } from "./stage.ts";

/**
 * Runs a program of ours in the rescue system of a server with two blank disks.
 * @param program a TypeScript file, with all that it imports
 * @param more files and shares that the rescue system has besides
 * @returns what it says, by lines
 * @throws Error with that, where it does not end well
 */
export async function runOnDisks(
  program: URL,
  { files = {}, shares = {} }: { files?: Record<string, string>; shares?: Record<string, string> } = {},
): Promise<string[]> {
  const directory = await mkdtemp(join(tmpdir(), "lab-"));
  try {
    const place = `${directory}/server`;
    await using server = await createServer({ name: "server", directory: place, disks: twoDisks, memoryMiB: 1024 });
    const { lines, exitCode } = await server.runRescue({
      command: ["/usr/bin/node", "/root/job/program.mjs"],
      files: { ...files, "/root/job/program.mjs": await bundle({ entryPoints: [program.pathname] }) },
      shares,
      timeoutMs: 35 * 60_000,
    });
    if (exitCode !== 0) throw new Error(`the program ended with ${exitCode}:\n${lines.join("\n")}`);
    return lines;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
