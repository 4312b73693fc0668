import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Failure } from "../../common/failure.ts";
import { findChecksum, formatChecksum, parseChecksum } from "../../factory/checksum.ts";

const digest = "ab".repeat(64);
const other = "cd".repeat(64);

describe("a vendor's list of checksums", () => {
  it.each([
    ["plain", `${other}  other.qcow2\n${digest}  disk.qcow2\n`],
    ["binary", `${digest} *disk.qcow2\n`],
    ["with one blank, as openSUSE has it", `${digest} disk.qcow2\n`],
    ["tagged, between comments", `# disk.qcow2: 300 bytes\nSHA512 (disk.qcow2) = ${digest.toUpperCase()}\n`],
    ["with DOS line ends, as signed text has", `Hash: SHA512\r\n\r\n${digest}  disk.qcow2\r\n`],
    ["saying the same twice", `${digest}  disk.qcow2\n${digest} *disk.qcow2\n`],
    ["nothing but a digest", `${digest}\n`],
  ])("is read: %s", (_, list) => {
    expect(findChecksum(list, "sha512", "disk.qcow2", "disk.qcow2.sha512")).toEqual({ algorithm: "sha512", digest });
  });

  it.each([
    ["the file is not in it", `${digest}  disk.qcow2.old\n`],
    ["the file is in another folder", `${digest}  other/disk.qcow2\n`],
    ["its digests contradict each other", `${digest}  disk.qcow2\n${other}  disk.qcow2\n`],
    ["the digest is of another length", `${"ab".repeat(32)}  disk.qcow2\n`],
    ["it is a page of HTML", "<html><body>Not found</body></html>"],
    ["its one digest may be of any file", `${digest}\n`],
  ])("is refused where %s", (_, list) => {
    expect(() => findChecksum(list, "sha512", "disk.qcow2", "SHA512SUMS")).toThrow(
      expect.objectContaining({ code: "checksum-missing", kind: "integrity" }),
    );
  });

  it("is found or refused, whatever it holds", () => {
    const line = fc.oneof(
      fc.string(),
      fc
        .tuple(fc.constantFrom(digest, other, "ab"), fc.constantFrom(" ", "  ", " *"), fc.string())
        .map((parts) => parts.join("")),
      fc
        .tuple(fc.constantFrom("SHA512 (", "SHA256 ("), fc.string(), fc.constant(`) = ${digest}`))
        .map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(fc.array(line), fc.string({ minLength: 1 }), (lines, name) => {
        try {
          expect(findChecksum(lines.join("\n"), "sha512", name).digest).toMatch(/^[0-9a-f]{128}$/);
        } catch (error) {
          expect(error).toBeInstanceOf(Failure);
        }
      }),
    );
  });
});

describe("a checksum on the command line", () => {
  it("reads what it writes", () => {
    const hex = fc.constantFrom(..."0123456789abcdef");
    const checksums = fc.oneof(
      fc.string({ unit: hex, minLength: 64, maxLength: 64 }).map((text) => `sha256:${text}`),
      fc.string({ unit: hex, minLength: 128, maxLength: 128 }).map((text) => `sha512:${text}`),
    );
    fc.assert(fc.property(checksums, (text) => formatChecksum(parseChecksum(text)) === text));
  });

  it.each(["", "sha512", "md5:d41d8cd98f00b204e9800998ecf8427e", `sha256:${digest}`, `sha512:${"xy".repeat(64)}`])(
    'is refused: "%s"',
    (text) => {
      expect(() => parseChecksum(text)).toThrow(expect.objectContaining({ code: "checksum-invalid" }));
    },
  );
});
