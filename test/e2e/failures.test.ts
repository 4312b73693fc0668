import { beforeAll, expect, test } from "vitest";
import { runOnDisks } from "./run-on-disks.ts";

/** What installations that fail late leave on real disks, and what the next one makes of that. */
let transcript: string[];

beforeAll(async () => {
  transcript = await runOnDisks(new URL("./make-failures.ts", import.meta.url));
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
