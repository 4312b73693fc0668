import { expect, test } from "vitest";
import { renderStreams } from "../../../mirror/page/streams.ts";
import { sampleContents } from "./sample-contents.ts";

const parsed = () => {
  const files = renderStreams(sampleContents());
  return Object.fromEntries(files.map(({ key, bytes }) => [key, JSON.parse(Buffer.from(bytes).toString("utf8"))]));
};

test("the index leads to the products, and names them", () => {
  const { "streams/v1/index.json": index, "streams/v1/images.json": products } = parsed();
  expect(index).toEqual({
    format: "index:1.0",
    updated: "Mon, 30 Nov 2026 02:00:00 +0000",
    index: {
      "net.metalcast:images": {
        format: "products:1.0",
        datatype: "image-downloads",
        updated: "Mon, 30 Nov 2026 02:00:00 +0000",
        path: "streams/v1/images.json",
        products: Object.keys(products.products),
      },
    },
  });
  expect(products).toMatchObject({
    format: "products:1.0",
    content_id: "net.metalcast:images",
    datatype: "image-downloads",
  });
});

test("a product has what readers ask for, and its versions' files", () => {
  const { "streams/v1/images.json": products } = parsed();
  const product = products.products["net.metalcast:debian-12:amd64"];
  expect(product).toMatchObject({
    aliases: "debian-12",
    arch: "amd64",
    os: "debian",
    release: "bookworm",
    release_title: "12 (bookworm)",
    version: "12",
  });
  expect(Object.keys(product.versions)).toEqual(["20261130.0", "20261123.0", "20261109.1"]);
  const hash = expect.stringMatching(/^[0-9a-f]{64}$/);
  const prefix = "images/debian-12/amd64/20261123.0/";
  expect(product.versions["20261123.0"]).toEqual({
    label: "stable",
    pubname: "debian-12-amd64-20261123.0",
    items: {
      "image.tar.zst": { ftype: "image.tar.zst", path: `${prefix}image.tar.zst`, size: 412 * 2 ** 20, sha256: hash },
      "sbom.cdx.json": { ftype: "sbom.cdx.json", path: `${prefix}sbom.cdx.json`, size: 1_400_000, sha256: hash },
      "manifest.json": { ftype: "manifest.json", path: `${prefix}manifest.json`, sha256: hash },
    },
  });
  expect(product.versions["20261109.1"].label).toBe("former");
});

test("without a code name, the release is the version; every product has all that MAAS insists on", () => {
  const { "streams/v1/images.json": products } = parsed();
  expect(products.products["net.metalcast:rocky-9:amd64"]).toMatchObject({ os: "rocky", release: "9.6" });
  for (const product of Object.values<Record<string, unknown>>(products.products)) {
    expect(product).toMatchObject({ arch: expect.any(String), os: expect.any(String), release: expect.any(String) });
  }
});
