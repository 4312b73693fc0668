import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import type { RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type CatalogImage, findImage, loadCatalog } from "../../factory/catalog.ts";
import { fetchVendorImage, findVendorChecksum, verifyLocalImage } from "../../factory/fetch.ts";
import { WebServer } from "./web-server.ts";

const content = Buffer.alloc(300_000, "vendor");
const digest = createHash("sha512").update(content).digest("hex");
const list = `${digest}  disk image.qcow2\n`;

/** What the server has, by path. */
let files: Record<string, string | Buffer | RequestListener>;
let requests: string[];
let web: WebServer;
let image: CatalogImage;
let cache: string;
let home: string;
let key: string;

const gpg = async (args: string[], input?: string) => {
  const { stdout } = await execa("gpg", ["--homedir", home, "--batch", "--quiet", "--passphrase", "", ...args], {
    stripFinalNewline: false,
    ...(input !== undefined && { input }),
  });
  return stdout;
};

beforeAll(async () => {
  web = await WebServer.start();
  web.answer = (request, response) => {
    const path = decodeURIComponent(request.url ?? "");
    requests.push(path);
    const file = files[path];
    if (typeof file === "function") file(request, response);
    else response.writeHead(file === undefined ? 404 : 200).end(file);
  };
  const { origin } = web;
  home = await mkdtemp(join(tmpdir(), "gpg-"));
  await gpg(["--pinentry-mode", "loopback", "--quick-generate-key", "vendor@example.test", "ed25519", "sign", "never"]);
  key = /^fpr:+([0-9A-F]+):/m.exec(await gpg(["--with-colons", "--list-keys"]))?.[1] ?? "";
  await mkdir(join(home, "keys"));
  await writeFile(join(home, "keys", `${key}.asc`), await gpg(["--armor", "--export", key]));
  image = {
    ...findImage(await loadCatalog(), "debian-12"),
    source: { kind: "listed", url: `${origin}/disk%20image.qcow2`, checksums: `${origin}/SUMS`, algorithm: "sha512" },
    keyFolders: [join(home, "keys")],
  };
});
afterAll(async () => {
  await web[Symbol.asyncDispose]();
  await execa("gpgconf", ["--homedir", home, "--kill", "all"]);
  await rm(home, { recursive: true });
});
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), "fetch-"));
  files = { "/SUMS": list, "/disk image.qcow2": content };
  requests = [];
  return () => rm(cache, { recursive: true });
});

const signed = (signature: "inline" | "detached"): CatalogImage => {
  if (image.source.kind !== "listed") throw new Error("the test's image has a list");
  const where = signature === "inline" ? signature : `${image.source.checksums}.asc`;
  return { ...image, source: { ...image.source, signature: where, key } };
};
const quick = { pauseMs: 1, attempts: 2 };

describe("fetching a vendor image", () => {
  it("downloads it once, and verifies it each time", async () => {
    const first = await fetchVendorImage(image, { cache });
    expect(await readFile(first.path)).toEqual(content);
    expect(first.source).toEqual({
      url: expect.stringContaining("/disk%20image.qcow2"),
      checksum: `sha512:${digest}`,
      verifiedBy: "checksum-file",
    });
    await fetchVendorImage(image, { cache });
    expect(requests).toEqual(["/SUMS", "/disk image.qcow2", "/SUMS"]);

    await writeFile(first.path, "changed in the cache");
    await fetchVendorImage(image, { cache });
    expect(await readFile(first.path)).toEqual(content);
    expect(requests).toHaveLength(5);
  });

  it("downloads it once for two builds at the same time", async () => {
    const both = await Promise.all([fetchVendorImage(image, { cache }), fetchVendorImage(image, { cache })]);
    expect(both[0]).toEqual(both[1]);
    expect(requests.filter((path) => path !== "/SUMS")).toHaveLength(1);
  });

  it.each<[string, string | RequestListener, object]>([
    ["other bytes", "evil", { code: "checksum-mismatch", kind: "integrity" }],
    ["more bytes than allowed", content.toString(), { code: "download-too-large" }],
    ["an error", (_, response) => response.writeHead(503).end(), { message: expect.stringContaining("answered 503") }],
  ])("keeps nothing of %s", async (_, body, failure) => {
    files["/disk image.qcow2"] = body;
    await expect(fetchVendorImage(image, { cache, maximumBytes: 200_000, ...quick })).rejects.toMatchObject(failure);
    expect((await readdir(cache)).filter((name) => !name.endsWith(".lock"))).toEqual([]);
  });

  it.each<[string, string, string]>([
    ["what has no checksum", "", "checksum-missing"],
    ["by an endless list", "x".repeat(2 ** 20 + 1), "download-too-large"],
  ])("does not download %s", async (_, sums, code) => {
    files["/SUMS"] = sums;
    await expect(fetchVendorImage(image, { cache })).rejects.toMatchObject({ code });
    expect(requests).toEqual(["/SUMS"]);
  });
});

describe("a signed list", () => {
  it("is verified, detached or clearsigned, and the key is said", async () => {
    files["/SUMS.asc"] = await gpg(["--armor", "--detach-sign"], list);
    const expected = { checksum: `sha512:${digest}`, verifiedBy: "signature", signedBy: key };
    expect(await findVendorChecksum(signed("detached"))).toEqual(expected);
    expect((await fetchVendorImage(signed("detached"), { cache })).source).toMatchObject(expected);

    files["/SUMS"] = await gpg(["--clearsign"], list);
    expect(await findVendorChecksum(signed("inline"))).toEqual(expected);
  });

  it.each<[string, () => Promise<void>, string]>([
    ["is not signed any more", async () => {}, "download-refused"],
    [
      "is not what was signed",
      async () => {
        files["/SUMS.asc"] = await gpg(["--armor", "--detach-sign"], `${list}\n`);
      },
      "signature-invalid",
    ],
  ])("that %s is not used", async (_, spoil, code) => {
    await spoil();
    await expect(fetchVendorImage(signed("detached"), { cache })).rejects.toMatchObject({ code });
    expect(requests).toEqual(["/SUMS", "/SUMS.asc"]);
  });
});

describe("an image without a list", () => {
  it("has its checksum in the catalog", async () => {
    if (image.source.kind === "supplied") expect.unreachable();
    const pinned = {
      ...image,
      source: { kind: "pinned", url: image.source.url, checksum: `sha512:${digest}` },
    } as const;
    expect((await fetchVendorImage(pinned, { cache })).source).toMatchObject({ verifiedBy: "pinned-checksum" });
    expect(requests).toEqual(["/disk image.qcow2"]);
  });

  it("that its users bring is asked for", async () => {
    const rhel = findImage(await loadCatalog(), "rhel-9");
    for (const fetched of [fetchVendorImage(rhel, { cache }), findVendorChecksum(rhel)]) {
      await expect(fetched).rejects.toMatchObject({
        code: "image-supplied",
        kind: "configuration",
        hint: expect.stringMatching(/^get the file .* from https:\/\/access.redhat.com.* --source FILE --checksum/),
      });
    }
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
    for (const unfit of [`${path}.no`, dirname(path), "/dev/zero"]) {
      await expect(verifyLocalImage(unfit, `sha512:${digest}`)).rejects.toMatchObject({ code: "source-missing" });
    }
  });
});
