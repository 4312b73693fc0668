import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type CatalogImage, findImage, loadCatalog } from "../../factory/catalog.ts";
import { fetchVendorImage, verifyLocalImage } from "../../factory/fetch.ts";

const content = Buffer.alloc(300_000, "vendor");
const digest = createHash("sha512").update(content).digest("hex");
let answer: RequestListener;
const server = createServer((request, response) => answer(request, response));
let image: CatalogImage;
let cache: string;

const serve =
  (list: string, body: RequestListener): RequestListener =>
  (request, response) =>
    request.url === "/SHA512SUMS" ? response.end(list) : body(request, response);

beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const origin = `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`;
  const known = findImage(await loadCatalog(), "debian-12");
  const source = { url: `${origin}/disk.qcow2`, checksums: `${origin}/SHA512SUMS`, algorithm: "sha512" } as const;
  image = { ...known, source };
});
afterAll(() => server.close());
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), "fetch-"));
  return () => rm(cache, { recursive: true });
});

describe("fetching a vendor image", () => {
  it("downloads it once, and verifies it each time", async () => {
    let downloads = 0;
    answer = serve(`${digest}  disk.qcow2\n`, (_, response) => {
      downloads += 1;
      response.end(content);
    });
    const first = await fetchVendorImage(image, { cache });
    expect(await readFile(first.path)).toEqual(content);
    expect(first.source).toMatchObject({ checksum: `sha512:${digest}`, verifiedBy: "checksum-file" });
    await fetchVendorImage(image, { cache });
    expect(downloads).toBe(1);

    await writeFile(first.path, "changed in the cache");
    await expect(fetchVendorImage(image, { cache })).rejects.toMatchObject({ code: "checksum-mismatch" });
  });

  it.each<[string, RequestListener, object]>([
    ["other bytes", (_, response) => response.end("evil"), { code: "checksum-mismatch", kind: "integrity" }],
    ["more bytes than allowed", (_, response) => response.end(content), { code: "download-too-large" }],
    [
      "a connection that breaks off",
      (_, response) => {
        response.writeHead(200, { "content-length": content.length });
        response.write(content.subarray(0, 1000), () => response.destroy());
      },
      { code: "download-failed", kind: "retry" },
    ],
    ["an error", (_, response) => response.writeHead(503).end(), { message: expect.stringContaining("answered 503") }],
  ])("keeps nothing of %s", async (_, body, failure) => {
    answer = serve(`${digest}  disk.qcow2\n`, body);
    await expect(fetchVendorImage(image, { cache, maximumBytes: 200_000 })).rejects.toMatchObject(failure);
    expect(await readdir(cache)).toEqual([]);
  });

  it("does not download what has no checksum", async () => {
    answer = serve("", () => expect.unreachable());
    await expect(fetchVendorImage(image, { cache })).rejects.toMatchObject({ code: "checksum-missing" });
  });

  it("reads no endless list of checksums", async () => {
    answer = serve("x".repeat(2 ** 20 + 1), () => expect.unreachable());
    await expect(fetchVendorImage(image, { cache })).rejects.toMatchObject({ code: "download-too-large" });
  });
});

describe("an image on this machine", () => {
  it("is taken only with the right checksum", async () => {
    const path = join(cache, "disk.qcow2");
    await writeFile(path, content);
    const verified = await verifyLocalImage(path, `sha512:${digest}`);
    expect(verified.source).toMatchObject({ url: `file://${path}`, verifiedBy: "pinned-checksum" });
    await expect(verifyLocalImage(path, `sha512:${"0".repeat(128)}`)).rejects.toMatchObject({
      code: "checksum-mismatch",
      data: { found: `sha512:${digest}` },
    });
    await expect(verifyLocalImage(`${path}.no`, `sha512:${digest}`)).rejects.toMatchObject({ code: "source-missing" });
  });
});
