import { once } from "node:events";
import { createServer } from "node:http";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { openStore } from "../../../mirror/open-store.ts";
import { writePages } from "../../../mirror/page/write-pages.ts";
import { prune } from "../../../mirror/prune.ts";
import { keepReport } from "../../../mirror/qualification/keep-report.ts";
import type { QualificationReport } from "../../../mirror/qualification/report.ts";
import type { Store } from "../../../mirror/store.ts";
import { sync } from "../../../mirror/sync/sync.ts";
import { verify } from "../../../mirror/verify/verify.ts";
import { changedStore } from "../changed-store.ts";
import { collect } from "../gather.ts";
import { temporaryDirectory } from "../sample-image.ts";
import { serveDirectory } from "../serve-directory.ts";
import { MemoryStore } from "../sync/memory-store.ts";
import { contents, keysOf } from "../sync/unsigned-mirror.ts";
import { damage, options, problems } from "../verify/findings.ts";
import { cut, flip, openSampleMirror, overwrite } from "../verify/sample-mirror.ts";
import { installedFrom, sampleReport, toBytes } from "./sample-report.ts";

const [v21, v22] = ["20261121.0", "20261122.0"] as const;
const now = new Date("2026-11-30T08:00:00Z");

/** @returns the key of the report */
async function keep(mirror: Store, version: string, changes: Partial<QualificationReport> = {}): Promise<string> {
  const report = sampleReport(await installedFrom(mirror, `debian-12@${version}`), changes);
  return (await keepReport(mirror, `debian-12@${version}`, toBytes(report), { arch: "amd64", now })).key;
}

test("a sync carries them, of a version that is there already too, and then has nothing to do", async () => {
  const { mirror, store, root } = await openSampleMirror(new MemoryStore());
  const to = new MemoryStore();
  const first = await keep(mirror, v21);
  await sync(store, to, options);
  expect(await keysOf(to)).toContain(first);
  expect(await contents(store)).toMatchObject(await contents(to));
  const key = await keep(mirror, v22);
  const written: string[] = [];
  const watching = changedStore(to, {
    write(...args) {
      written.push(args[0]);
      return to.write(...args);
    },
  });
  await sync(store, watching, options);
  expect(written.filter((one) => one.startsWith("images/") && !one.endsWith("channels.json"))).toEqual([key]);
  expect(await sync(store, to, options)).toMatchObject({ copied: { objects: 0 }, pointerMoved: false });
  expect(await verify(to, { root, ...options })).toMatchObject({ ok: true });
});

test("a sync carries them from a web server, which can't be listed", async () => {
  await using directory = await temporaryDirectory();
  const { mirror } = await openSampleMirror(openStore(pathToFileURL(directory.path).href));
  const key = await keep(mirror, v22);
  const server = createServer(serveDirectory(fileURLToPath(pathToFileURL(directory.path)))).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const address = server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const to = new MemoryStore();
    await sync(openStore(`http://127.0.0.1:${port}`), to, options);
    expect(await keysOf(to)).toContain(key);
    expect(await sync(openStore(`http://127.0.0.1:${port}`), to, options)).toMatchObject({ copied: { objects: 0 } });
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

test("a sync with --delete removes them with their version, and no other", async () => {
  const { mirror, store } = await openSampleMirror(new MemoryStore());
  const to = new MemoryStore();
  const [old, kept] = [await keep(mirror, v21), await keep(mirror, v22)];
  await sync(store, to, options);
  await prune(mirror, { keep: 1, graceMs: 0, now, emit: options.emit });
  await sync(store, to, { ...options, delete: true });
  const left = await keysOf(to);
  expect(left).not.toContain(old);
  expect(left).toContain(kept);
});

test("verify holds them to the signed list and repairs them; one that no list names is an orphan", async () => {
  const { mirror, store, root } = await openSampleMirror(new MemoryStore());
  const copy = new MemoryStore();
  const keys = [
    await keep(mirror, v22),
    await keep(mirror, v22, { endedAt: "2026-11-30T07:10:00.000Z" }),
    await keep(mirror, v22, { endedAt: "2026-11-30T07:20:00.000Z" }),
  ] as const;
  await sync(store, copy, options);
  await overwrite(store, keys[0], flip);
  await overwrite(store, keys[1], cut);
  await store.remove(keys[2]);
  const stray = `images/debian-12/amd64/${v22}/qualified-${"0".repeat(64)}.json`;
  await store.write(stray, Buffer.from("{}"));
  const { ok, findings } = await verify(store, { root, ...options });
  expect(ok).toBe(false);
  expect(new Set(damage(findings))).toEqual(
    new Set([
      ["hash", keys[0]],
      ["size", keys[1]],
      ["missing", keys[2]],
    ]),
  );
  expect(problems(findings.filter(({ problem }) => problem === "orphan"))).toEqual([["orphan", stray]]);
  expect(await verify(store, { root, repairFrom: copy, ...options })).toMatchObject({ ok: true });
  expect(await collect(store.read(keys[0]))).toEqual(await collect(copy.read(keys[0])));
});

test("pages show the newest of each hardware and profile, also of one that is kept while they are written", async () => {
  const { mirror, store } = await openSampleMirror(new MemoryStore());
  await keep(mirror, v22, { outcome: "failed" });
  let kept: string | undefined;
  const changing = changedStore(mirror, {
    async write(key, body, writeOptions) {
      if (key === "index.html" && kept === undefined) {
        kept = "";
        kept = await keep(mirror, v22, { endedAt: "2026-11-30T07:10:00.000Z" });
      }
      return mirror.write(key, body, writeOptions);
    },
  });
  await writePages(changing, { emit: options.emit });
  const page = (await collect(store.read("images/debian-12/amd64/index.html"))).toString();
  expect(page).toContain(kept?.split("/").at(-1));
  expect(page).not.toContain("did not pass");
});
