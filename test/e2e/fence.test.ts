import { beforeAll, expect, test } from "vitest";
import { runOnDisks } from "./run-on-disks.ts";

/** The fence on real arrays and volumes, in a kernel that has the device mapper. */
let transcript: string[];

beforeAll(async () => {
  transcript = await runOnDisks(new URL("./make-fence.ts", import.meta.url));
});

const told = (what: string) =>
  transcript.flatMap((line) => (line.startsWith(`${what}: `) ? [line.slice(what.length + 2)] : []));

test.each([
  ["tables", /^system-root: 0 524288 linear 9:\d+ \d+$/],
  ["volumes", /^root$/],
  ["array", /^MD_LEVEL=raid1$/],
])("%s can be read", (what, answer) => {
  expect(told(what)).toContainEqual(expect.stringMatching(answer));
  expect(told(what).at(-1)).toBe("done");
});

test.each([
  ["mapping", /not permitted|permission denied/i],
  ["other table", /not permitted|permission denied/i],
  ["removal", /not permitted|permission denied/i],
  ["volume", /not permitted|permission denied/i],
  ["node", /not permitted/i],
  ["log", /not permitted/i],
])("%s is refused", (what, refusal) => {
  expect(told(what).join("\n")).toMatch(refusal);
  expect(told(what).at(-1)).toBe("command-failed");
});

test("nothing of the rescue system is to be seen", () => {
  expect(told("command line")).toEqual(["done"]);
  expect(told("alone")).toEqual(["/proc/1 /dev/sda", "done"]);
});
