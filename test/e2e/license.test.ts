import { readFile } from "node:fs/promises";
import { beforeAll, expect, test } from "vitest";
import { runOnDisks } from "./run-on-disks.ts";

/** The steps of a license in the rescue system of a server, by a stand-in for subscription-manager. */
let transcript: string[];

beforeAll(async () => {
  const standIn = new URL("../installer/license/subscription-manager.py", import.meta.url);
  transcript = await runOnDisks(new URL("./make-license.ts", import.meta.url), {
    files: { "/root/job/subscription-manager.py": await readFile(standIn, "utf8") },
  });
});

test.each([
  ["registered: no failure"],
  ["registered, notes: Registering with [hidden] | The system has been registered with ID: 3f5d5b3c"],
  ["registered, seen by others: nothing"],
  ["registered, asked for: register"],
  ["registered, files with the key: 0"],
  ["refused: license-refused, exit 3"],
  ["refused, seen by others: nothing"],
  ["refused, asked for: register unregister clean"],
  // What the stand-in is to say.
  ["refused, files with the key: 1"],
  ["later, clean: command-failed, exit 1"],
  ["later, clean, seen by others: nothing"],
])("%s", (line) => {
  expect(transcript).toContain(line);
});

test("a registration is taken back where the installation fails later", () => {
  const [notes] = transcript.filter((line) => line.startsWith("later, clean, notes: "));
  expect(notes).toMatch(/registered with ID: \w+ \| System has been unregistered\. \| All local data removed$/);
});
