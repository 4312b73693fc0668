import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { readChannels } from "../../../mirror/channel.ts";
import { addMirrorCommands } from "../../../mirror/commands.ts";
import { openStore } from "../../../mirror/open-store.ts";
import { promote } from "../../../mirror/promote.ts";
import { prune } from "../../../mirror/prune.ts";
import { qualifiedOf, reportLimitBytes } from "../../../mirror/qualification/entries.ts";
import { keepReport } from "../../../mirror/qualification/keep-report.ts";
import type { QualificationReport } from "../../../mirror/qualification/report.ts";
import { retire } from "../../../mirror/retire.ts";
import { rollback } from "../../../mirror/rollback.ts";
import type { Store } from "../../../mirror/store.ts";
import { changedStore } from "../changed-store.ts";
import { collect, gather } from "../gather.ts";
import { runCommand } from "../run-command.ts";
import { sha256, temporaryDirectory } from "../sample-image.ts";
import { MemoryStore } from "../sync/memory-store.ts";
import { keysOf, sampleVersion } from "../sync/unsigned-mirror.ts";
import { publishSample } from "../verify/sample-mirror.ts";
import { startWritableStores } from "../writable-stores.ts";
import { installedFrom, item, r640, sampleReport, toBytes } from "./sample-report.ts";

const stores = await startWritableStores();
afterAll(stores.stop);
const emit = () => undefined;
const arch = "amd64";
const place = { name: "debian-12", arch } as const;
const [v21, v22] = ["20261121.0", "20261122.0"] as const;
const now = new Date("2026-11-30T08:00:00Z");
const options = { arch, now } as const;

/** Two versions: stable names the second. */
async function fill<Kind extends Store>(store: Kind): Promise<Kind> {
  for (const version of [v21, v22]) await publishSample(store, sampleVersion(version));
  return store;
}

async function keep(store: Store, version: string, changes: Partial<QualificationReport> = {}) {
  const report = sampleReport(await installedFrom(store, `debian-12@${version}`), changes);
  return keepReport(store, `debian-12@${version}`, toBytes(report), options);
}

async function keptOf(store: Store, version: string) {
  const channels = (await readChannels(store, place)) ?? expect.unreachable();
  return qualifiedOf(channels, version);
}

const other = (model: string) => ({ ...sampleReport({ ...place, version: v22 }).host, model });

describe.each(stores.kinds)("on %s", (_, open) => {
  test("a report is an object of its version, and the signed list tells of it; once more changes nothing", async () => {
    const { store } = await open();
    await fill(store);
    const bytes = toBytes(sampleReport(await installedFrom(store, "debian-12")));
    const kept = await keepReport(store, "debian-12", bytes, options);
    const entry = {
      hardware: r640,
      profile: "full",
      profileSha256: "0".repeat(64),
      outcome: "passed",
      at: "2026-11-30T07:00:00.000Z",
      reportSha256: sha256(bytes),
      reportBytes: bytes.byteLength,
    };
    const key = `images/debian-12/amd64/${v22}/qualified-${sha256(bytes)}.json`;
    expect(kept).toEqual({ ...place, version: v22, key, ...entry });
    expect(await collect(store.read(key))).toEqual(bytes);
    expect(await keptOf(store, v22)).toEqual([entry]);
    const before = await keysOf(store);
    await keepReport(store, `debian-12@${v22}`, bytes, options);
    expect(await keysOf(store)).toEqual(before);
    expect(await keptOf(store, v21)).toEqual([]);
  });

  test("of several who keep one at the same time none is lost", async () => {
    const { store } = await open();
    await fill(store);
    const models = ["R640", "R650", "R660", "R760"];
    await Promise.all([
      ...models.map((model) => keep(store, v22, { host: other(model) })),
      promote(store, `debian-12@${v22}`, { arch, channel: "beta" }),
    ]);
    expect((await keptOf(store, v22)).map(({ hardware }) => hardware).sort()).toEqual(
      models.map((model) => `Dell Inc. ${model}`),
    );
    expect((await readChannels(store, place))?.channels).toEqual({ stable: v22, beta: v22 });
  });
});

describe("refused, and nothing is kept:", () => {
  const image = { ...place, version: v22 };
  const whole = async (store: Store) => installedFrom(store, `debian-12@${v22}`);
  test.each<[string, string, (store: Store) => Promise<Partial<QualificationReport>>]>([
    ["report-unfit", "interrupted", async () => ({ outcome: "interrupted" })],
    ["report-unfit", "only some items", async () => ({ partial: true })],
    ["report-unfit", "inventory failed", async () => ({ items: [item("inventory", "failed")] })],
    ["report-unfit", "nothing in it was carried out", async () => ({ items: [item("clock", "skipped")] })],
    ["report-unfit", "what hardware", async () => ({ host: { ...other(""), vendor: "" } })],
    ["report-unfit", "more than 200 characters", async () => ({ host: other("x".repeat(200)) })],
    ["report-unfit", "yet to come", async () => ({ endedAt: "2026-12-02T07:00:00.000Z" })],
    [
      "report-mismatch",
      `debian-12@${v21}`,
      async (store) => ({ image: await installedFrom(store, `debian-12@${v21}`) }),
    ],
    ["report-mismatch", "debian-13@", async (store) => ({ image: { ...(await whole(store)), name: "debian-13" } })],
    ["report-mismatch", "(arm64)", async (store) => ({ image: { ...(await whole(store)), arch: "arm64" } })],
    ["report-mismatch", "which manifest", async () => ({ image })],
    ["report-mismatch", "manifest has SHA-256", async () => ({ image: { ...image, manifestSha256: "1".repeat(64) } })],
  ])("%s: %s", async (code, words, changesOf) => {
    const store = await fill(new MemoryStore());
    const before = await keysOf(store);
    const bytes = toBytes(sampleReport(await whole(store), await changesOf(store)));
    await expect(keepReport(store, `debian-12@${v22}`, bytes, options)).rejects.toMatchObject({
      ...{ code, kind: "refused" },
      message: expect.stringContaining(words),
    });
    expect(await keysOf(store)).toEqual(before);
    expect(await keptOf(store, v22)).toEqual([]);
  });

  test("a report that does not name its image", async () => {
    const store = await fill(new MemoryStore());
    const { image: _, ...report } = sampleReport(await whole(store));
    const keeping = keepReport(store, `debian-12@${v22}`, toBytes(report), options);
    await expect(keeping).rejects.toMatchObject({ code: "report-mismatch", kind: "refused" });
  });

  test.each([
    ["report-invalid", Buffer.from("a report")],
    ["report-invalid", toBytes({ formatVersion: 2 })],
    ["report-overlong", Buffer.alloc(reportLimitBytes + 1, " ")],
  ])("%s", async (code, bytes) => {
    const store = await fill(new MemoryStore());
    const keeping = keepReport(store, `debian-12@${v22}`, bytes, options);
    await expect(keeping).rejects.toMatchObject({ code, kind: "integrity" });
  });

  test("one that an object of other content is in the way of", async () => {
    const store = await fill(new MemoryStore());
    const { key } = await keep(store, v22);
    await store.write(key, Buffer.from("damaged"));
    await expect(keep(store, v22)).rejects.toMatchObject({ code: "report-damaged", kind: "integrity" });
  });

  test("one of a version that is pruned meanwhile", async () => {
    const store = await fill(new MemoryStore());
    let pruned = false;
    const racing = changedStore(store, {
      async write(key, body, writeOptions) {
        const written = await store.write(key, body, writeOptions);
        if (!pruned) {
          pruned = true;
          await prune(store, { keep: 1, graceMs: 0, now, emit });
          await publishSample(store, sampleVersion(v21), "old");
        }
        return written;
      },
    });
    await expect(keep(racing, v21)).rejects.toMatchObject({ code: "version-leaving", kind: "retry" });
    expect(await keptOf(store, v21)).toEqual([]);
  });

  test("one more than readers take", async () => {
    const store = await fill(new MemoryStore());
    const key = "images/debian-12/amd64/channels.json";
    const channels: unknown = JSON.parse((await collect(store.read(key))).toString());
    await store.write(key, toBytes(Object.assign({}, channels, { comment: "x".repeat(4 * 2 ** 20 - 700) })));
    await expect(keep(store, v22)).rejects.toMatchObject({ code: "channels-overlong", kind: "refused" });
  });
});

test("rollback and retire leave reports where they are; with the files of the version they go", async () => {
  const store = await fill(new MemoryStore());
  const { key } = await keep(store, v22);
  await keep(store, v21);
  await rollback(store, "debian-12", { version: v21, arch });
  await retire(store, `debian-12@${v22}`, { arch, now });
  expect(await keptOf(store, v22)).toHaveLength(1);
  await publishSample(store, sampleVersion(v22), "candidate");
  await promote(store, `debian-12@${v22}`, { arch, requireQualified: [r640] });
  await rollback(store, "debian-12", { version: v21, arch });
  await promote(store, `debian-12@${v21}`, { arch, channel: "old" });
  const channels = (await readChannels(store, place)) ?? expect.unreachable();
  const { candidate: _, ...named } = channels.channels;
  await store.write("images/debian-12/amd64/channels.json", toBytes({ ...channels, channels: named }));
  await retire(store, `debian-12@${v22}`, { arch, now });
  await prune(store, { keep: 5, graceMs: 0, now, emit });
  expect(await store.stat(key)).toBeUndefined();
  expect(await keptOf(store, v22)).toEqual([]);
  expect(await keptOf(store, v21)).toHaveLength(1);
});

describe("promote --require-qualified", () => {
  const later = "2026-11-30T07:30:00.000Z";
  const require = (store: Store, ...requireQualified: string[]) =>
    promote(store, `debian-12@${v22}`, { arch, channel: "released", requireQualified });

  test("wants a report of each hardware that has passed, and says where it has", async () => {
    const store = await fill(new MemoryStore());
    await expect(require(store, r640)).rejects.toMatchObject({
      ...{ code: "not-qualified", kind: "refused" },
      message: `promoting debian-12@${v22} to released: not qualified on ${r640} (no report); it has passed on nothing yet`,
    });
    await keep(store, v22);
    await keep(store, v21, { host: other("R650") });
    await expect(require(store, r640, "Dell Inc. R650")).rejects.toMatchObject({
      message: expect.stringMatching(
        /not qualified on Dell Inc\. R650 \(no report\); it has passed on .* R640 \(full, 2026-11-30\)$/,
      ),
    });
    expect((await readChannels(store, place))?.channels).toEqual({ stable: v22 });
    expect(await require(store, r640)).toMatchObject({ version: v22, channel: "released" });
  });

  test("of the same profile the newest report counts, whichever was kept first", async () => {
    const store = await fill(new MemoryStore());
    await keep(store, v22, { outcome: "failed", endedAt: later });
    await keep(store, v22);
    await expect(require(store, r640)).rejects.toMatchObject({
      message: expect.stringContaining(`not qualified on ${r640} (full, failed 2026-11-30)`),
    });
    await keep(store, v22, { endedAt: "2026-11-30T07:31:00.000Z" });
    expect(await require(store, r640)).toMatchObject({ version: v22 });
    expect(await keptOf(store, v22)).toHaveLength(3);
  });

  test("what passed by a quick profile makes up for no failure by another one", async () => {
    const store = await fill(new MemoryStore());
    await keep(store, v22, { outcome: "failed" });
    await keep(store, v22, { profile: { name: "quick", sha256: "1".repeat(64) }, endedAt: later });
    await expect(require(store, r640)).rejects.toMatchObject({ code: "not-qualified" });
  });

  test("one that fails while the channel is moved is not overlooked", async () => {
    const store = await fill(new MemoryStore());
    await keep(store, v22);
    let failed = false;
    const racing = changedStore(store, {
      async write(key, body, writeOptions) {
        if (!failed) {
          failed = true;
          await keep(store, v22, { outcome: "failed", endedAt: later });
        }
        return store.write(key, body, writeOptions);
      },
    });
    await expect(require(racing, r640)).rejects.toMatchObject({ code: "not-qualified" });
  });
});

test("on the command line: what is kept, what is refused, and the page that tells of it", async () => {
  const { store, url, env } = (await stores.kinds[2]?.[1]()) ?? expect.unreachable();
  await fill(store);
  await using directory = await temporaryDirectory();
  const report = join(directory.path, "report.json");
  await writeFile(report, toBytes(sampleReport(await installedFrom(store, "debian-12"))));
  const metalcast = (...words: string[]) =>
    runCommand(addMirrorCommands, ["-q", ...words, "--on", url, "--keys", env.METALCAST_KEYS ?? ""]);
  const promoting = ["promote", `debian-12@${v22}`, "--channel", "released", "--require-qualified", r640] as const;
  expect(await metalcast(...promoting)).toMatchObject({ exitCode: 6, stderr: expect.stringContaining("(no report)") });
  expect(await metalcast("qualified", "debian-12", "--report", `${report}.none`)).toMatchObject({ exitCode: 3 });
  expect(await metalcast("qualified", "debian-12", "--report", report)).toMatchObject({
    exitCode: 0,
    stdout: `debian-12@${v22} has passed on ${r640} by profile full\n`,
  });
  expect(await metalcast(...promoting)).toMatchObject({ exitCode: 0 });
  const [key = ""] = (await gather(openStore(url).list(`images/debian-12/amd64/${v22}/qualified-`))).map(
    (one) => one.key,
  );
  const page = (await collect(openStore(url).read("images/debian-12/amd64/index.html"))).toString();
  expect(page).toContain(`<span>${r640}</span>`);
  expect(page).toContain(`href="${key.split("/").slice(3).join("/")}"`);
});
