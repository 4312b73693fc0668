import { expect, test } from "vitest";
import { contentTypeOf } from "../../../mirror/sync/content-type.ts";

test.each([
  ["metadata/1.root.json", "application/json"],
  ["images/debian-12/amd64/20261123.0/sbom.cdx.json", "application/json"],
  ["images/debian-12/amd64/20261123.0/image.tar.zst", "application/zstd"],
  ["images/debian-12/amd64/20261123.0/SHA256SUMS", "text/plain; charset=utf-8"],
  ["images/debian-12/amd64/20261123.0/README", "application/octet-stream"],
])("%s is %s", (key, expected) => {
  expect(contentTypeOf(key)).toBe(expected);
});
