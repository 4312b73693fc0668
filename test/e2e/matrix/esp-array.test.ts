import { beforeAll, expect, test } from "vitest";
import { runOnDisks } from "../run-on-disks.ts";

/** An ESP that is an array: what firmware finds on its members, and what a failed installation leaves there. */
let transcript: string[];

beforeAll(async () => {
  transcript = await runOnDisks(new URL("./make-esp-array.ts", import.meta.url));
});

test.each([
  ["first, failed: no"],
  ["first, different data: 1"],
  ["first, MiB of data: 511"],
  ["first, /dev/sda2: EFI System, loader of 900000 bytes, check 0"],
  ["first, /dev/sdb2: EFI System, loader of 900000 bytes, check 0"],
  ["first, Version: 1.0"],
  ["first, State: clean"],
  ["first, Consistency Policy: resync"],
  ["first, left to synchronize from: none"],
  ["first, mismatches: 0"],
])("firmware and md find the same on all members: %s", (line) => {
  expect(transcript).toContain(line);
});

test.each([
  ["over an assembled one, begins with: take-apart"],
  ["clean, failed: command-failed"],
  ["clean, arrays: 0"],
  ["clean, mounted: nothing"],
  ["clean, /dev/sda2: nothing"],
  ["clean, /dev/sdb2: nothing"],
  // A redundant array that loses a disk fails the installation.
  ["leave, failed: array-degraded"],
  ["leave, arrays: 1"],
  ["leave, mounted: /run/metalcast/target"],
  ["leave, /dev/sda2: nothing"],
  // Of a member that md gave up, too.
  ["leave, /dev/sdb2: nothing"],
])("a failed installation boots from none of them: %s", (line) => {
  expect(transcript).toContain(line);
});

test.each([
  ["again, failed: no"],
  ["again, different data: 1"],
  ["again, /dev/sda2: EFI System, loader of 900000 bytes, check 0"],
  ["again, /dev/sdb2: EFI System, loader of 900000 bytes, check 0"],
])("the next one takes the array apart and makes it anew: %s", (line) => {
  expect(transcript).toContain(line);
});

test("nothing went wrong besides", () => {
  expect(transcript.filter((line) => line.startsWith("note: "))).toEqual([]);
});
