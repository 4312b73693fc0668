import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bundle } from "../lab/bundle.ts";
import { createServer, type Server } from "../lab/server.ts";
import { twoDisks } from "./stage.ts";

/** What installations that fail late leave on real disks, and what the next one makes of that. */
let directory: string;
let server: Server;
let transcript: string[];

const program = new URL("./make-failures.ts", import.meta.url);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "lab-"));
  server = await createServer({ name: "failures", directory: `${directory}/server`, disks: twoDisks, memoryMiB: 1024 });
  const { lines, exitCode } = await server.runRescue({
    command: ["/usr/bin/node", "/root/job/failures.mjs"],
    files: { "/root/job/failures.mjs": await bundle({ entryPoints: [program.pathname] }) },
    timeoutMs: 25 * 60_000,
  });
  if (exitCode !== 0) throw new Error(`the program ended with ${exitCode}:\n${lines.join("\n")}`);
  transcript = lines;
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

test.each([
  ["failed, clean: command-failed"],
  ["clean, mounted: nothing"],
  ["clean, arrays: 0"],
  ["clean, sda: boot code none, ESP none"],
  ["clean, sdb: boot code none, ESP none"],
  ["failed, leave: command-failed"],
  ["leave, mounted: /run/metalcast/target"],
  ["leave, arrays: 1"],
  ["leave, sda: boot code none, ESP none"],
  ["leave, sdb: boot code none, ESP none"],
  ["leave, the target's journal ends with: step-failed"],
  ["another instance: disk-held"],
  ["the same instance begins with: take-apart"],
  ["a second one beside it: installation-running"],
  ["again, mounted: nothing"],
  ["again, arrays: 0"],
  ["again, sda: boot code none, ESP vfat"],
  ["again, sdb: boot code none, ESP vfat"],
])("%s", (line) => {
  expect(transcript).toContain(line);
});

test("nothing went wrong besides", () => {
  expect(transcript.filter((line) => line.startsWith("note: "))).toEqual([]);
});
