import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type DownloadOptions, downloadBytes, downloadFile } from "../../factory/download.ts";
import { EagerReader } from "../../factory/eager-reader.ts";
import { rangeStart, serve, WebServer } from "./web-server.ts";

const content = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
const changed = Buffer.alloc(200_000, "changed");

let web: WebServer;
let directory: string;
beforeEach(async () => {
  web = await WebServer.start();
  directory = await mkdtemp(join(tmpdir(), "download-"));
});
afterEach(async () => {
  await web[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

const path = () => join(directory, "file");

function fetchFile(options: DownloadOptions = {}, bytes: Uint8Array = content): Promise<void> {
  const checksum = { algorithm: "sha256", digest: createHash("sha256").update(bytes).digest("hex") } as const;
  return downloadFile(`${web.origin}/file`, checksum, path(), { pauseMs: 1, ...options });
}

describe("a connection that breaks off", () => {
  it("is taken up where it broke, in the same run", async () => {
    web.answer = (request, response) => {
      const from = rangeStart(request);
      serve(response, content, { etag: '"1"', from, ...(from < 200_000 && { cutAfter: 100_000 }) });
    };
    const seen: number[] = [];
    await fetchFile({ attempts: 2, advance: (bytes, total) => seen.push(bytes, total ?? 0) });
    expect((await readFile(path())).equals(content)).toBe(true);
    expect(web.requests.map(rangeStart)).toEqual([0, 100_000, 200_000]);
    expect(web.requests[1]?.headers["if-range"]).toBe('"1"');
    expect(seen.slice(-2)).toEqual([300_000, 300_000]);
    expect(await readdir(directory)).toEqual(["file"]);
  });

  it("is taken up in the next run", async () => {
    web.answer = (_, response) => serve(response, content, { etag: '"1"', cutAfter: 100_000 });
    await expect(fetchFile({ attempts: 1 })).rejects.toMatchObject({ code: "download-failed", kind: "retry" });
    expect((await readdir(directory)).sort()).toEqual(["file.etag", "file.partial"]);

    web.answer = (request, response) => serve(response, content, { etag: '"1"', from: rangeStart(request) });
    await fetchFile();
    expect(web.requests.map(rangeStart)).toEqual([0, 100_000]);
    expect((await readFile(path())).equals(content)).toBe(true);
    expect(await readdir(directory)).toEqual(["file"]);
  });

  it("needs no request where only the name was missing", async () => {
    await writeFile(`${path()}.partial`, content);
    await writeFile(`${path()}.etag`, '"1"');
    await fetchFile();
    expect(web.requests).toEqual([]);
    expect((await readFile(path())).equals(content)).toBe(true);
  });

  it("ends in the whole file, wherever it broke", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 150_000 }), { maxLength: 6 }), async (cuts) => {
        await rm(path(), { force: true });
        const left = [...cuts];
        web.answer = (request, response) => {
          const [cutAfter, from] = [left.shift(), rangeStart(request)];
          const cut = cutAfter !== undefined && from + cutAfter < content.length ? { cutAfter } : {};
          serve(response, content, { etag: '"1"', from, ...cut });
        };
        await fetchFile();
        expect((await readFile(path())).equals(content)).toBe(true);
      }),
      { numRuns: 15 },
    );
  });

  it.each<[string, (request: IncomingMessage, response: ServerResponse) => unknown]>([
    ["the file was replaced by another", (_, response) => serve(response, changed, { etag: '"2"' })],
    ["the server knows no ranges", (_, response) => serve(response, changed, { etag: '"1"' })],
    [
      "the range lies behind the end",
      (request, response) =>
        request.headers.range ? response.writeHead(416).end() : serve(response, changed, { etag: '"2"' }),
    ],
  ])("begins again where %s", async (_, next) => {
    web.answer = (_request, response) => serve(response, content, { etag: '"1"', cutAfter: 100_000 });
    await expect(fetchFile({ attempts: 1 }, changed)).rejects.toMatchObject({ code: "download-failed" });
    web.answer = next;
    await fetchFile({}, changed);
    expect((await readFile(path())).equals(changed)).toBe(true);
  });

  it.each<[string, { etag?: string }]>([
    ["no entity tag", {}],
    ["a weak entity tag", { etag: 'W/"1"' }],
  ])("leaves nothing of a file with %s", async (_, headers) => {
    web.answer = (_request, response) => serve(response, content, { ...headers, cutAfter: 100_000 });
    await expect(fetchFile({ attempts: 2 })).rejects.toMatchObject({ code: "download-failed" });
    expect(web.requests.map(({ headers: { range } }) => range)).toEqual([undefined, undefined]);
    expect(await readdir(directory)).toEqual([]);
  });

  it("does not take another part of the file for the one that it asked for", async () => {
    web.answer = (request, response) =>
      request.headers.range
        ? response.writeHead(206, { "content-range": "bytes 0-299999/300000" }).end(content)
        : serve(response, content, { etag: '"1"', cutAfter: 100_000 });
    await expect(fetchFile({ attempts: 3 })).rejects.toThrow("another part of the file");
  });

  it("keeps nothing of what turned out to be wrong", async () => {
    web.answer = (_, response) => serve(response, changed, { etag: '"1"' });
    await expect(fetchFile()).rejects.toMatchObject({ code: "checksum-mismatch", kind: "integrity" });
    expect(web.requests).toHaveLength(1);
    expect(await readdir(directory)).toEqual([]);
  });
});

describe("a server that does not get on", () => {
  it.each<[string, RequestListener]>([
    ["never answers", () => {}],
    [
      "stops in the middle",
      (_, response) => void response.writeHead(200, { etag: '"1"' }).write(content.subarray(0, 1000)),
    ],
  ])("is given up: it %s", async (_, silent) => {
    web.answer = silent;
    await expect(fetchFile({ stallMs: 50, attempts: 2 })).rejects.toMatchObject({
      code: "download-failed",
      kind: "retry",
      message: expect.stringContaining("nothing came for"),
    });
  });

  it("has so much time for the whole file", async () => {
    web.answer = (_, response) => {
      response.writeHead(200, { etag: '"1"' });
      const drip = setInterval(() => response.write("x"), 5);
      response.on("close", () => clearInterval(drip));
    };
    await expect(fetchFile({ totalMs: 200 })).rejects.toMatchObject({ code: "download-timeout", kind: "retry" });
  });

  it("is interrupted at once, and what came is kept", async () => {
    const interruption = new AbortController();
    web.answer = (_, response) => void response.writeHead(200, { etag: '"1"' }).write(content.subarray(0, 1000));
    const fetched = fetchFile({ signal: interruption.signal, advance: () => interruption.abort() });
    await expect(fetched).rejects.toMatchObject({ code: "interrupted", kind: "interrupted" });
    expect((await readdir(directory)).sort()).toEqual(["file.etag", "file.partial"]);
  });

  it("does not fill the disk", async () => {
    web.answer = (_, response) => {
      response.writeHead(200, { etag: '"1"' });
      const more = () => {
        while (!response.destroyed && response.write(content));
      };
      response.on("drain", more);
      more();
    };
    await expect(fetchFile({ maximumBytes: 2_000_000 })).rejects.toMatchObject({
      code: "download-too-large",
      kind: "integrity",
    });
    await expect(downloadBytes(`${web.origin}/list`, { maximumBytes: 1000 })).rejects.toMatchObject({
      code: "download-too-large",
    });
    expect(web.requests).toHaveLength(2);
    expect(await readdir(directory)).toEqual([]);
  });

  it("does not fill the memory either, where nobody takes what it sends", async () => {
    let taken = 0;
    const take = async () => {
      taken += 1;
      return new Uint8Array(10);
    };
    await using reader = new EagerReader(take, async () => {}, 100);
    // Comes after all that promises alone can bring about.
    await new Promise(setImmediate);
    expect(taken).toBe(10);
    for await (const bytes of reader) {
      expect(bytes).toHaveLength(10);
      if (taken > 20) break;
    }
  });

  it("is not read at all where it says that it sends too much", async () => {
    web.answer = (_, response) => serve(response, content);
    await expect(fetchFile({ maximumBytes: 299_999 })).rejects.toMatchObject({ code: "download-too-large" });
  });
});
