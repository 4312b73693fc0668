import fc from "fast-check";
import { expect, test } from "vitest";
import { Failure } from "../../common/failure.ts";
import { compareVersions, formatReference, parseReference } from "../../mirror/reference.ts";

test.each([
  ["debian-12", { name: "debian-12", channel: "stable" }],
  ["debian-12:stable", { name: "debian-12", channel: "stable" }],
  ["opensuse-15.6:candidate", { name: "opensuse-15.6", channel: "candidate" }],
  ["debian-12@20261123.0", { name: "debian-12", version: "20261123.0" }],
])("%s", (text, reference) => {
  expect(parseReference(text)).toEqual(reference);
  expect(parseReference(formatReference(parseReference(text)))).toEqual(reference);
});

test.each([
  "",
  "Debian",
  "debian-12:",
  "debian-12@",
  "debian-12@1.2.3",
  "debian-12:20261123.0",
  "a/b",
  "../a",
  "a:b@20261123.0",
  "a:b:c",
  "a\n",
  " a",
])("%j names no image", (text) => {
  expect(() => parseReference(text)).toThrow(
    expect.objectContaining({ code: "reference-invalid", kind: "configuration" }),
  );
});

test("any text is a reference or a Failure", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        expect(parseReference(formatReference(parseReference(text)))).toEqual(parseReference(text));
      } catch (error) {
        expect(error).toBeInstanceOf(Failure);
      }
    }),
  );
});

test("versions are ordered by number, not by letter", () => {
  const versions = ["20261123.10", "20261123.9", "20251231.0", "20261123.0"];
  expect(versions.sort(compareVersions)).toEqual(["20251231.0", "20261123.0", "20261123.9", "20261123.10"]);
});
