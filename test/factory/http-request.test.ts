import { createServer } from "node:https";
import { execa } from "execa";
import { beforeEach, describe, expect, it } from "vitest";
import { type DownloadOptions, downloadBytes } from "../../factory/download.ts";
import { retryAfterMs } from "../../factory/download-failure.ts";
import { close, listen, serve, WebServer } from "./web-server.ts";

const content = Buffer.from("content");

let web: WebServer;
beforeEach(async () => {
  web = await WebServer.start();
  return () => web[Symbol.asyncDispose]();
});

const fetchList = (options: DownloadOptions = {}, origin = web.origin) =>
  downloadBytes(`${origin}/file`, { maximumBytes: 1000, pauseMs: 1, ...options });

describe("an answer that is not the file", () => {
  it.each([408, 429, 500, 503])("%i is asked again", async (status) => {
    web.answer = (_, response) =>
      web.requests.length < 3 ? response.writeHead(status, { "retry-after": "0" }).end() : serve(response, content);
    expect(await fetchList()).toEqual(content);
    expect(web.requests).toHaveLength(3);
  });

  it("is asked so often and no more", async () => {
    web.answer = (_, response) => response.writeHead(502).end();
    await expect(fetchList({ attempts: 4 })).rejects.toThrow("the server answered 502");
    expect(web.requests).toHaveLength(4);
  });

  it("is not waited for an hour", async () => {
    web.answer = (_, response) => response.writeHead(503, { "retry-after": "3600" }).end();
    await expect(fetchList()).rejects.toMatchObject({ code: "download-failed", kind: "retry" });
    expect(web.requests).toHaveLength(1);
  });

  it.each([400, 401, 403, 404, 410, 416])("%i is final", async (status) => {
    web.answer = (_, response) => response.writeHead(status).end("no");
    await expect(fetchList()).rejects.toMatchObject({ code: "download-refused", kind: "configuration" });
    expect(web.requests).toHaveLength(1);
  });

  it("is not unpacked: a file that is sent encoded", async () => {
    web.answer = (_, response) => response.writeHead(200, { "content-encoding": "gzip" }).end(content);
    await expect(fetchList({ attempts: 1 })).rejects.toThrow("encoded as gzip");
    expect(web.requests[0]?.headers["accept-encoding"]).toBe("identity");
  });

  it("says when to ask again, in seconds or by a date", () => {
    expect(retryAfterMs("120")).toBe(120_000);
    expect(retryAfterMs("Wed, 21 Oct 2026 07:28:00 GMT", Date.UTC(2026, 9, 21, 7, 27))).toBe(60_000);
    expect(retryAfterMs("Wed, 21 Oct 2015 07:28:00 GMT")).toBe(0);
    expect(retryAfterMs("soon")).toBeUndefined();
    expect(retryAfterMs(null)).toBeUndefined();
  });
});

describe("a redirect", () => {
  it("is followed, a few times", async () => {
    web.answer = ({ url }, response) =>
      url === "/file" ? response.writeHead(302, { location: "/elsewhere" }).end() : serve(response, content);
    expect(await fetchList()).toEqual(content);
    expect(web.requests.map(({ url }) => url)).toEqual(["/file", "/elsewhere"]);
  });

  it.each(["/file", "ftp://127.0.0.1/file", "file:///etc/passwd", "http://"])(
    "is not followed for ever, or to %s",
    async (location) => {
      web.answer = (_, response) => response.writeHead(301, { location }).end();
      await expect(fetchList()).rejects.toMatchObject({ code: "redirect-refused", kind: "integrity" });
      expect(web.requests.length).toBeLessThan(10);
    },
  );

  it("never leads from https to http", async () => {
    const subject = [
      "-x509",
      "-nodes",
      "-subj",
      "/CN=127.0.0.1",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
    ];
    const { stdout } = await execa("openssl", ["req", ...subject, "-keyout", "-", "-out", "-"]);
    const secure = createServer({ key: stdout, cert: stdout }, ({ url }, response) =>
      url === "/down"
        ? response.writeHead(302, { location: `${web.origin}/file` }).end()
        : response.writeHead(302, { location: "/down" }).end(),
    );
    web.answer = (_, response) => serve(response, content);
    const secureOrigin = `https://127.0.0.1:${await listen(secure)}`;
    // The server's certificate is its own, for this test alone.
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
    try {
      const fetched = fetchList({}, secureOrigin);
      await expect(fetched).rejects.toMatchObject({
        code: "redirect-refused",
        message: expect.stringContaining(`to ${web.origin}`),
      });
      expect(web.requests).toEqual([]);
    } finally {
      delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
      await close(secure);
    }
  });
});
