import { execa } from "execa";
import { afterAll, describe, expect, test } from "vitest";
import { readChannels } from "../../mirror/channel.ts";
import { listImages } from "../../mirror/list-images.ts";
import { promote } from "../../mirror/promote.ts";
import { prune } from "../../mirror/prune.ts";
import { publish } from "../../mirror/publish.ts";
import { resolveImage } from "../../mirror/resolve.ts";
import { retire } from "../../mirror/retire.ts";
import { rollback } from "../../mirror/rollback.ts";
import { rolledBackFrom } from "../../mirror/rolled-back.ts";
import type { Store } from "../../mirror/store.ts";
import { changedStore } from "./changed-store.ts";
import { gather } from "./gather.ts";
import { makeSampleImage, temporaryDirectory, writeSampleImage } from "./sample-image.ts";
import { MemoryStore } from "./sync/memory-store.ts";
import { startWritableStores } from "./writable-stores.ts";

const stores = await startWritableStores();
afterAll(stores.stop);
const emit = () => undefined;
const arch = "amd64";
const place = { name: "debian-12", arch } as const;
const now = new Date("2026-11-24T03:00:00Z");
const [v21, v22, v23] = ["20261121.0", "20261122.0", "20261123.0"] as const;

async function publishSample(store: Store, version: string, channel = "stable"): Promise<void> {
  await using directory = await temporaryDirectory();
  await writeSampleImage(directory.path, makeSampleImage({ version, frameSizes: [[700], [900], [700]] }));
  await publish(store, directory.path, { emit, channel });
}

async function fill<Kind extends Store>(store: Kind): Promise<Kind> {
  for (const version of [v21, v22, v23]) await publishSample(store, version);
  return store;
}

const stableOf = async (store: Store) => (await resolveImage(store, "debian-12", { arch })).manifest.version;
const listedVersions = async (store: Store) => (await listImages(store)).flatMap(({ versions }) => versions);

describe.each(stores.kinds)("on %s", (_, open) => {
  test("a channel goes back, its former version is retired, and its files go after the grace", async () => {
    const { store } = await open();
    for (const version of [v22, v23]) await publishSample(store, version);
    const back = await rollback(store, "debian-12", { version: v22, arch });
    expect(back).toEqual({ ...place, version: v22, channel: "stable", former: v23 });
    expect(await stableOf(store)).toBe(v22);

    const retired = await retire(store, `debian-12@${v23}`, { arch, now });
    expect(retired).toEqual({ ...place, version: v23, since: now.toISOString() });
    expect(await listedVersions(store)).toEqual([v22]);
    await expect(resolveImage(store, `debian-12@${v23}`, { arch })).rejects.toMatchObject({ code: "version-unknown" });
    expect(await gather(store.list(`images/debian-12/amd64/${v23}/`))).toHaveLength(3);
    const rule = { keep: 5, graceMs: 86_400_000, emit };
    expect(await prune(store, { ...rule, now })).toMatchObject([{ version: v23, action: "wait" }]);
    const later = new Date(now.getTime() + 86_400_000);
    expect(await prune(store, { ...rule, now: later })).toMatchObject([{ version: v23, action: "remove" }]);
    expect(await gather(store.list(`images/debian-12/amd64/${v23}/`))).toEqual([]);
    expect(await stableOf(store)).toBe(v22);
  });
});

describe("rollback", () => {
  test("of a channel that names the version already, nothing changes", async () => {
    const store = await fill(new MemoryStore());
    const before = await readChannels(store, place);
    expect(await rollback(store, "debian-12", { version: v23, arch })).toMatchObject({ former: v23 });
    expect(await readChannels(store, place)).toEqual(before);
  });

  test("moves its channel alone", async () => {
    const store = await fill(new MemoryStore());
    await promote(store, `debian-12@${v23}`, { arch, channel: "candidate" });
    await rollback(store, "debian-12", { version: v21, arch, channel: "candidate" });
    expect((await readChannels(store, place))?.channels).toEqual({ stable: v23, candidate: v21 });
  });

  test("remembers the newest version that the channel left, until somebody promotes it again", async () => {
    const store = await fill(new MemoryStore());
    const mark = async () => {
      const channels = (await readChannels(store, place)) ?? expect.unreachable();
      return [rolledBackFrom(channels, "stable"), rolledBackFrom(channels, "candidate")];
    };
    expect(await mark()).toEqual([undefined, undefined]);
    await rollback(store, "debian-12", { version: v22, arch });
    await rollback(store, "debian-12", { version: v21, arch });
    expect(await mark()).toEqual([v23, undefined]);
    await promote(store, `debian-12@${v22}`, { arch });
    expect(await mark()).toEqual([v23, undefined]);
    await prune(store, { keep: 1, graceMs: 0, now, emit });
    await promote(store, `debian-12@${v23}`, { arch });
    expect(await mark()).toEqual([undefined, undefined]);
    expect(await readChannels(store, place)).not.toHaveProperty("rolledBack");
  });

  test.each([
    ["channel-behind", "refused", { version: v23, channel: "old" }],
    ["channel-behind", "refused", { version: v23, channel: "none" }],
    ["version-unknown", "configuration", { version: "20261101.0" }],
    ["reference-invalid", "configuration", { version: "yesterday" }],
    ["channel-invalid", "configuration", { version: v21, channel: "Old" }],
  ])("%s", async (code, kind, options) => {
    const store = await fill(new MemoryStore());
    await promote(store, `debian-12@${v21}`, { arch, channel: "old" });
    const before = await readChannels(store, place);
    await expect(rollback(store, "debian-12", { arch, ...options })).rejects.toMatchObject({ code, kind });
    expect(await readChannels(store, place)).toEqual(before);
  });
});

describe("retire", () => {
  test("once more changes nothing, and says since when", async () => {
    const store = await fill(new MemoryStore());
    await retire(store, `debian-12@${v21}`, { arch, now });
    const before = await readChannels(store, place);
    const again = await retire(store, `debian-12@${v21}`, { arch, now: new Date() });
    expect(again.since).toBe(now.toISOString());
    expect(await readChannels(store, place)).toEqual(before);
  });

  test.each([
    ["version-named", "refused", `debian-12@${v23}`],
    ["version-unknown", "configuration", "debian-12@20261101.0"],
    ["version-unknown", "configuration", `debian-13@${v23}`],
    ["reference-invalid", "configuration", "debian-12"],
  ])("%s", async (code, kind, reference) => {
    const store = await fill(new MemoryStore());
    const before = await readChannels(store, place);
    await expect(retire(store, reference, { arch })).rejects.toMatchObject({ code, kind });
    expect(await readChannels(store, place)).toEqual(before);
  });

  test("a version that a channel is moved to meanwhile stays; the hint is the way there", async () => {
    const store = await fill(new MemoryStore());
    let moved = false;
    const racing = changedStore(store, {
      async write(key, body, options) {
        if (!moved) {
          moved = true;
          await promote(store, `debian-12@${v22}`, { arch, channel: "beta" });
        }
        return store.write(key, body, options);
      },
    });
    await expect(retire(racing, `debian-12@${v22}`, { arch })).rejects.toMatchObject({
      code: "version-named",
      hint: "first `metalcast rollback debian-12 --on memory: --to VERSION --channel beta`",
    });
    expect(await listedVersions(store)).toContain(v22);
  });
});

test("on the command line: exit codes, and what it did", async () => {
  const opened = (await stores.kinds.find(([kind]) => kind === "a signed mirror")?.[1]()) ?? expect.unreachable();
  const { store, url, env } = opened;
  for (const version of [v22, v23]) await publishSample(store, version);
  const cli = new URL("../../cli.ts", import.meta.url).pathname;
  const metalcast = (...words: string[]) => execa(process.execPath, [cli, "-q", ...words], { reject: false, env });
  const named = await metalcast("retire", `debian-12@${v23}`, "--on", url);
  expect(named).toMatchObject({ exitCode: 6, stdout: "", stderr: expect.stringContaining("hint: first `metalcast") });
  const back = await metalcast("rollback", "debian-12", "--on", url, "--to", v22);
  expect(back).toMatchObject({ exitCode: 0, stdout: `debian-12:stable is ${v22}, no longer ${v23}` });
  const retired = await metalcast("retire", `debian-12@${v23}`, "--on", url);
  expect(retired.stdout).toMatch(new RegExp(`^debian-12@${v23} is off the list since .*`));
  expect(await stableOf(store)).toBe(v22);
}, 180_000);
