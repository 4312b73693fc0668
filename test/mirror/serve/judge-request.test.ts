import fc from "fast-check";
import { expect, test } from "vitest";
import { judgeRequest } from "../../../mirror/serve/judge-request.ts";

const modifiedAt = new Date("2026-11-23T12:00:00Z");
const found = { etag: '"a-1"', modifiedAt, sizeBytes: 100 };
const same = modifiedAt.toUTCString();
const before = new Date(modifiedAt.getTime() - 1000).toUTCString();
const whole = { status: 200, start: 0, end: 100 };

test.each([
  [{}, whole],
  [{ "if-match": '"a-1"' }, whole],
  [{ "if-match": '"b", "a-1"' }, whole],
  [{ "if-match": "*" }, whole],
  [{ "if-match": '"b"' }, { status: 412 }],
  [{ "if-match": 'W/"a-1"' }, { status: 412 }],
  [{ "if-match": "a-1" }, { status: 412 }],
  [{ "if-unmodified-since": same }, whole],
  [{ "if-unmodified-since": before }, { status: 412 }],
  [{ "if-unmodified-since": "yesterday" }, whole],
  [{ "if-match": '"a-1"', "if-unmodified-since": before }, whole],
  [{ "if-none-match": '"a-1"' }, { status: 304 }],
  [{ "if-none-match": '"b", W/"a-1"' }, { status: 304 }],
  [{ "if-none-match": "*" }, { status: 304 }],
  [{ "if-none-match": '"b"' }, whole],
  [{ "if-none-match": '"b"', "if-modified-since": same }, whole],
  [{ "if-modified-since": same }, { status: 304 }],
  [{ "if-modified-since": before }, whole],
  [{ "if-modified-since": "yesterday" }, whole],
  [{ "if-match": '"b"', "if-none-match": '"a-1"' }, { status: 412 }],
  [{ "if-none-match": '"a-1"', range: "bytes=0-9" }, { status: 304 }],
  [{ range: "bytes=0-9" }, { status: 206, start: 0, end: 10 }],
  [{ range: "bytes=99-99" }, { status: 206, start: 99, end: 100 }],
  [{ range: "bytes=90-" }, { status: 206, start: 90, end: 100 }],
  [{ range: "bytes=-10" }, { status: 206, start: 90, end: 100 }],
  [{ range: "bytes=-1000" }, { status: 206, start: 0, end: 100 }],
  [{ range: "bytes=90-100000000000000000000" }, { status: 206, start: 90, end: 100 }],
  [{ range: "bytes=100-" }, { status: 416 }],
  [{ range: "bytes=100-200" }, { status: 416 }],
  [{ range: "bytes=-0" }, { status: 416 }],
  [{ range: "bytes=9-0" }, whole],
  [{ range: "bytes=-" }, whole],
  [{ range: "bytes=0-1,5-6" }, whole],
  [{ range: "lines=0-1" }, whole],
  [
    { range: "bytes=0-9", "if-range": '"a-1"' },
    { status: 206, start: 0, end: 10 },
  ],
  [{ range: "bytes=0-9", "if-range": '"b"' }, whole],
  [{ range: "bytes=0-9", "if-range": 'W/"a-1"' }, whole],
  [{ range: "bytes=0-9", "if-range": same }, whole],
])("GET with %j", (headers, verdict) => {
  expect(judgeRequest("GET", headers, found)).toEqual(verdict);
});

test("HEAD knows no ranges", () => {
  expect(judgeRequest("HEAD", { range: "bytes=0-9" }, found)).toEqual(whole);
});

test("whatever is asked for, what is sent lies within the file", () => {
  const piece = fc.oneof(fc.nat(300).map(String), fc.constantFrom("", "-", "bytes=", ",", " ", "9".repeat(400)));
  const header = fc.array(piece, { maxLength: 6 }).map((pieces) => `bytes=${pieces.join("")}`);
  fc.assert(
    fc.property(header, fc.nat(200), (range, sizeBytes) => {
      const verdict = judgeRequest("GET", { range }, { ...found, sizeBytes });
      if (!("start" in verdict)) return;
      expect(verdict.start).toBeGreaterThanOrEqual(0);
      expect(verdict.end).toBeLessThanOrEqual(sizeBytes);
      if (verdict.status === 206) expect(verdict.start).toBeLessThan(verdict.end);
    }),
  );
});
