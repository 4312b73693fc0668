import fc from "fast-check";
import { expect, test } from "vitest";
import { formatDuration, formatSize, parseDuration, parseSize } from "../../common/units.ts";

test.each([
  ["1048576", 1048576],
  ["400 GB", 400e9],
  ["512MiB", 512 * 2 ** 20],
  ["1.5 KiB", 1536],
])("%s is %d bytes", (text, bytes) => expect(parseSize(text)).toBe(bytes));

test.each(["", "GB", "12 parsecs", "-1", "1e3"])("%j is refused", (text) => {
  expect(() => parseSize(text)).toThrow(expect.objectContaining({ code: "size-invalid" }));
});

test("a whole number of bytes survives", () => {
  fc.assert(fc.property(fc.nat(), (bytes) => parseSize(`${bytes} B`) === bytes));
});

test("people read sizes and durations", () => {
  expect([formatSize(0), formatSize(1536), formatSize(400e9)]).toEqual(["0 B", "1.5 KiB", "373 GiB"]);
  expect([formatDuration(340), formatDuration(12_000), formatDuration(185_000)]).toEqual([
    "340 ms",
    "12 s",
    "3 min 05 s",
  ]);
});

test.each([
  ["90 s", 90_000],
  ["45min", 2_700_000],
  ["1.5h", 5_400_000],
  ["7d", 604_800_000],
])("%s is %d milliseconds", (text, milliseconds) => expect(parseDuration(text)).toBe(milliseconds));

test.each(["", "7", "d", "7 days", "-1h", "1 constructor"])("%j is no duration", (text) => {
  expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: "duration-invalid" }));
});
