import { once } from "node:events";
import { chmod, link, mkdir, readdir, readlink, symlink, truncate, writeFile } from "node:fs/promises";
import { Agent, get, type IncomingMessage, request } from "node:http";
import { get as getSecure } from "node:https";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { execa } from "execa";
import { expect, test, vi } from "vitest";
import { run } from "../../../common/run.ts";
import { serveMirror } from "../../../mirror/serve/serve-mirror.ts";
import { sendRaw, serving } from "./serving.ts";

const hash = "0".repeat(64);
const version = "images/debian-12/amd64/20261123.0";
const files = {
  "index.html": "<p>front</p>",
  "images/debian-12/amd64/index.html": "<p>debian</p>",
  [`images/debian-12/amd64/${hash}.channels.json`]: "{}",
  [`${version}/manifest.json`]: "{}",
  [`${version}/image.tar.zst`]: "0123456789",
  [`${version}/SHA256SUMS`]: "0  x",
  [`${version}/sbom.cdx.json`]: "{}",
  "metadata/timestamp.json": "{}",
  "metadata/1.root.json": "{}",
  "streams/v1/index.json": "{}",
  empty: "",
};

test("an object's headers tell what it is, and are the same for HEAD and GET", async () => {
  await using mirror = await serving(files);
  const url = `${mirror.url}${version}/image.tar.zst`;
  const answers = [await fetch(url), await fetch(url, { method: "HEAD" })];
  const [got, head] = answers.map(({ status, headers }) => {
    const { date, connection, "keep-alive": kept, ...rest } = Object.fromEntries(headers);
    return { status, ...rest };
  });
  expect(got).toEqual(head);
  expect(got).toMatchObject({
    status: 200,
    etag: expect.stringMatching(/^"[^"]+"$/),
    "last-modified": expect.stringMatching(/GMT$/),
    "accept-ranges": "bytes",
    "content-length": "10",
    "content-type": "application/zstd",
    "x-content-type-options": "nosniff",
  });
  expect(await answers[0]?.text()).toBe("0123456789");
  expect(await answers[1]?.text()).toBe("");
});

test.each([
  [`${version}/manifest.json`, "application/json", "immutable"],
  [`${version}/image.tar.zst`, "application/zstd", "immutable"],
  [`${version}/SHA256SUMS`, "text/plain; charset=utf-8", "immutable"],
  [`${version}/sbom.cdx.json`, "application/vnd.cyclonedx+json", "immutable"],
  [`images/debian-12/amd64/${hash}.channels.json`, "application/json", "immutable"],
  ["metadata/1.root.json", "application/json", "immutable"],
  ["metadata/timestamp.json", "application/json", "no-cache"],
  ["streams/v1/index.json", "application/json", "no-cache"],
  ["images/debian-12/amd64/", "text/html; charset=utf-8", "no-cache"],
  ["", "text/html; charset=utf-8", "no-cache"],
  ["?query", "text/html; charset=utf-8", "no-cache"],
  ["empty", "application/octet-stream", "no-cache"],
])("/%s is %s and %s", async (path, contentType, cacheControl) => {
  await using mirror = await serving(files);
  const { status, headers } = await fetch(mirror.url + path);
  expect(status).toBe(200);
  expect(headers.get("content-type")).toBe(contentType);
  expect(headers.get("cache-control")).toContain(cacheControl);
});

test("ranges and conditions, as far as a client sees them", async () => {
  await using mirror = await serving(files);
  const url = `${mirror.url}${version}/image.tar.zst`;
  const ask = async (headers: Record<string, string>) => {
    const answer = await fetch(url, { headers });
    return { status: answer.status, range: answer.headers.get("content-range"), body: await answer.text() };
  };
  const etag = (await fetch(url)).headers.get("etag") ?? "";
  expect(await ask({ range: "bytes=2-4" })).toEqual({ status: 206, range: "bytes 2-4/10", body: "234" });
  expect(await ask({ range: "bytes=10-" })).toMatchObject({ status: 416, range: "bytes */10" });
  expect(await ask({ "if-none-match": etag })).toMatchObject({ status: 304, body: "" });
  expect(await ask({ "if-match": '"other"' })).toMatchObject({ status: 412 });
  await writeFile(join(mirror.root, version, "image.tar.zst"), "abcdefghijk");
  expect(await ask({ "if-match": etag, range: "bytes=2-4" })).toMatchObject({ status: 412 });
  expect(await ask({ "if-range": etag, range: "bytes=2-4" })).toMatchObject({ status: 200, body: "abcdefghijk" });
});

test("nothing is listed; a directory with a page leads to it", async () => {
  await using mirror = await serving(files);
  const ask = (path: string) => fetch(mirror.url + path, { redirect: "manual" });
  for (const path of ["images", "images/", "images/debian-12/", "metadata/", "nothing", "nothing/"]) {
    expect((await ask(path)).status, path).toBe(404);
  }
  const moved = await ask("images/debian-12/amd64");
  expect(moved.status).toBe(301);
  expect(moved.headers.get("location")).toBe("/images/debian-12/amd64/");
  expect((await ask("index.html/")).status).toBe(404);
});

test.each(["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])(
  "%s is refused, and what is allowed is told",
  async (method) => {
    await using mirror = await serving(files);
    const body = method === "OPTIONS" ? {} : { body: "x".repeat(100_000) };
    const answer = await fetch(`${mirror.url}empty`, { method, ...body });
    expect(answer.status).toBe(405);
    expect(answer.headers.get("allow")).toBe("GET, HEAD");
  },
);

const secret = "the secret beside the mirror";

test.each([
  "/../secret",
  "/images/../../secret",
  "/%2e%2e/secret",
  "/..%2fsecret",
  "/%2e%2e%2fsecret",
  "/images/%2E%2E/%2E%2E/secret",
  "/..%5csecret",
  "/..\\secret",
  "//../secret",
  "/./../secret",
  "/%252e%252e/secret",
  "/%c0%ae%c0%ae/secret",
  "/..%00/secret",
  "/secret%00",
  "/index.html%00.zst",
  "/%ff",
  "/%",
  "/.hidden",
  "/%2ehidden",
  "/images/.hidden",
  "/out/secret",
  "/inner/hidden",
  "/link",
  "/pipe",
  `/${"a".repeat(300)}`,
  "secret",
  "../secret",
  "http://other.example.net/../secret",
  "http://other.example.net/.hidden",
  "file:///etc/passwd",
  "*",
])("GET %s leads nowhere", async (target) => {
  await using mirror = await serving({ "index.html": "front", ".hidden": secret, "images/.hidden": secret });
  await writeFile(join(mirror.parent, "secret"), secret);
  await mkdir(join(mirror.root, ".private"));
  await writeFile(join(mirror.root, ".private/hidden"), secret);
  await symlink(mirror.parent, join(mirror.root, "out"));
  await symlink(".private", join(mirror.root, "inner"));
  await symlink("../secret", join(mirror.root, "link"));
  await run("mkfifo", [join(mirror.root, "pipe")], { doing: "making a named pipe" });
  const answer = await sendRaw(mirror.url, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  expect(answer).toMatch(/^HTTP\/1\.1 (400|403|404) /);
  expect(answer).not.toContain(secret);
});

test("a link within the directory and a hard link are followed", async () => {
  await using mirror = await serving({ "disk/a": "content" });
  await symlink("disk", join(mirror.root, "images"));
  await link(join(mirror.root, "disk/a"), join(mirror.root, "b"));
  expect(await (await fetch(`${mirror.url}images/a`)).text()).toBe("content");
  expect(await (await fetch(`${mirror.url}b`)).text()).toBe("content");
  const absolute = await sendRaw(mirror.url, "GET http://other/b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  expect(absolute).toMatch(/^HTTP\/1\.1 200 .*content$/s);
});

test.each([
  "GET\r\n\r\n",
  "GET / HTTP/9.9\r\n\r\n",
  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
  `GET / HTTP/1.1\r\nHost: x\r\nX: ${"y".repeat(20_000)}\r\n\r\n`,
  "GET / HTTP/1.1\r\n\r\n",
])("what is no request ends its connection and nothing else (%#)", async (bytes) => {
  await using mirror = await serving(files);
  expect(await sendRaw(mirror.url, bytes)).toMatch(/^(HTTP\/1\.1 4\d\d |$)/);
  expect((await fetch(mirror.url)).status).toBe(200);
});

test("a connection is used again, also after what was not there", async () => {
  await using mirror = await serving(files);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ports = new Set<number | undefined>();
  for (const path of ["empty", "nothing", "index.html", `${version}/image.tar.zst`]) {
    const [answer] = await once(get(mirror.url + path, { agent }), "response");
    ports.add(answer.socket.localPort);
    await text(answer);
  }
  agent.destroy();
  expect(ports.size).toBe(1);
});

const large = Buffer.alloc(64 * 2 ** 20, "x");

test("a client that takes nothing costs next to nothing, and goes away without a trace", async () => {
  await using mirror = await serving({ large });
  const handles = () => openFiles(mirror.root);
  const clients = await Promise.all(Array.from({ length: 8 }, () => stalled(`${mirror.url}large`)));
  expect(await handles()).toBe(8);
  const before = process.memoryUsage().arrayBuffers;
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(large.length);
  for (const client of clients) client.destroy();
  await vi.waitFor(async () => expect(await handles()).toBe(0), { timeout: 20_000 });
  await vi.waitFor(() => expect(mirror.lines).toHaveLength(8), { timeout: 20_000 });
  expect(mirror.lines[0]).toMatch(/^127\.0\.0\.1 GET \/large broken off in /);
  expect((await fetch(`${mirror.url}large`, { method: "HEAD" })).status).toBe(200);
});

test("a file that becomes shorter on its way breaks the connection off", async () => {
  await using mirror = await serving({ large });
  const client = await stalled(`${mirror.url}large`);
  await truncate(join(mirror.root, "large"), 2 ** 20);
  await expect(text(client)).rejects.toThrow("aborted");
  await vi.waitFor(() => expect(mirror.lines.join("\n")).toContain("broke off after"), { timeout: 20_000 });
});

test("every request is a line, with its status", async () => {
  await using mirror = await serving(files);
  for (const path of ["empty", "nothing", "index.html"]) await (await fetch(mirror.url + path)).text();
  await vi.waitFor(() => expect(mirror.lines).toHaveLength(3), { timeout: 20_000 });
  expect(mirror.lines).toEqual([
    expect.stringMatching(/^127\.0\.0\.1 GET \/empty 200 0 B in \d+ ms$/),
    expect.stringMatching(/^127\.0\.0\.1 GET \/nothing 404 14 B in \d+ ms$/),
    expect.stringMatching(/^127\.0\.0\.1 GET \/index\.html 200 12 B in \d+ ms$/),
  ]);
});

test("it ends with transfers under way and idle connections", async () => {
  const mirror = await serving({ large });
  const client = await stalled(`${mirror.url}large`);
  const { hostname, port } = new URL(mirror.url);
  const idle = connect(Number(port), hostname);
  await once(idle, "connect");
  await mirror[Symbol.asyncDispose]();
  await expect(text(client)).rejects.toThrow("aborted");
  expect(await text(idle)).toBe("");
  await expect(fetch(mirror.url)).rejects.toThrow();
});

test("HTTPS with a certificate of one's own", async () => {
  const { stdout } = await execa("openssl", [
    ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -keyout - -out -".split(" "),
    ..."-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1".split(" "),
  ]);
  await using mirror = await serving(files, { tls: { cert: stdout, key: stdout } });
  expect(mirror.url).toMatch(/^https:/);
  const [answer] = await once(getSecure(`${mirror.url}index.html`, { ca: stdout }), "response");
  expect(await text(answer)).toBe("<p>front</p>");
  const [error] = await once(getSecure(mirror.url), "error");
  expect(error).toMatchObject({ code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
});

test("what it can't start with is told by name", async () => {
  await using mirror = await serving(files);
  const port = Number(new URL(mirror.url).port);
  const configuration = { kind: "configuration" };
  await expect(serveMirror(join(mirror.parent, "missing"))).rejects.toMatchObject({
    code: "store-missing",
    ...configuration,
  });
  await expect(serveMirror(join(mirror.root, "empty"))).rejects.toMatchObject({ code: "store-missing" });
  await expect(serveMirror(mirror.root, { port })).rejects.toMatchObject({
    code: "mirror-not-listening",
    ...configuration,
  });
  const tls = { cert: "no certificate", key: "no key" };
  await expect(serveMirror(mirror.root, { port: 0, tls })).rejects.toMatchObject({ code: "certificate-invalid" });
});

test("a file that may not be read is told from one that is missing", async () => {
  await using mirror = await serving({ locked: "x" });
  await chmod(join(mirror.root, "locked"), 0);
  // Root may read what it likes.
  expect((await fetch(`${mirror.url}locked`)).status).toBe(process.getuid?.() === 0 ? 200 : 403);
});

/** An answer of which only the head is taken. */
async function stalled(url: string): Promise<IncomingMessage> {
  const asked = request(url, { agent: false });
  asked.end();
  const [answer] = await once(asked, "response");
  answer.on("error", () => undefined);
  return answer;
}

async function openFiles(root: string): Promise<number> {
  const links = await Promise.all(
    (await readdir("/proc/self/fd")).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")),
  );
  return links.filter((path) => path.startsWith(root)).length;
}
