import { execa } from "execa";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { type Channels, changeChannels, readChannels } from "../../mirror/channel.ts";
import { describePruned } from "../../mirror/describe-pruned.ts";
import { readShard } from "../../mirror/frames.ts";
import { listImages } from "../../mirror/list-images.ts";
import { promote } from "../../mirror/promote.ts";
import { prune } from "../../mirror/prune.ts";
import { planPrune } from "../../mirror/prune-plan.ts";
import { publish } from "../../mirror/publish.ts";
import { compareVersions } from "../../mirror/reference.ts";
import { resolveImage } from "../../mirror/resolve.ts";
import type { Store } from "../../mirror/store.ts";
import { fileDirectory } from "../file-directory.ts";
import { changedStore } from "./changed-store.ts";
import { collect, gather } from "./gather.ts";
import { makeSampleImage, type SampleImage, temporaryDirectory, writeSampleImage } from "./sample-image.ts";
import { newMirror } from "./trust/new-mirror.ts";
import { startWritableStores } from "./writable-stores.ts";

const stores = await startWritableStores();
afterAll(stores.stop);
const emit = () => undefined;
const arch = "amd64";
const place = { name: "debian-12", arch } as const;
const frameSizes = [[700], [5000], [700]];
const hour = 3_600_000;
const now = new Date("2026-11-24T03:00:00Z");
const later = (hours: number) => new Date(now.getTime() + hours * hour);

const image = (version: string) => makeSampleImage({ version, frameSizes });

async function publishSample(store: Store, sample: SampleImage, channel = "candidate") {
  await using directory = await temporaryDirectory();
  await writeSampleImage(directory.path, sample);
  return await publish(store, directory.path, { emit, channel });
}

async function storedVersions(store: Store): Promise<string[]> {
  const keys = (await gather(store.list("images/debian-12/amd64/"))).map(({ key }) => key.split("/"));
  return [...new Set(keys.flatMap(([, , , version, file]) => (file && version ? [version] : [])))];
}

const listedVersions = async (store: Store) => (await listImages(store)).flatMap(({ versions }) => versions);
const directoryStore = async () => (await stores.kinds[0]?.[1]())?.store ?? expect.unreachable();

describe.each(stores.kinds)("on %s", (_, open) => {
  test("the newest stay and what a channel names; the others are first not found any more, then gone", async () => {
    const { store } = await open();
    for (const day of [20, 21, 22, 23, 24]) await publishSample(store, image(`202611${day}.0`));
    await promote(store, "debian-12@20261120.0", { arch });
    const rule = { keep: 2, graceMs: 24 * hour, emit };

    const dry = await prune(store, { ...rule, now, dryRun: true });
    expect(await listedVersions(store)).toHaveLength(5);
    const first = await prune(store, { ...rule, now });
    expect(first).toEqual(dry);
    expect(first.map(({ version, action }) => [version, action])).toEqual([
      ["20261121.0", "unlist"],
      ["20261122.0", "unlist"],
    ]);
    expect(await listedVersions(store)).toEqual(["20261124.0", "20261123.0", "20261120.0"]);
    expect(await storedVersions(store)).toHaveLength(5);
    await expect(resolveImage(store, "debian-12@20261121.0", { arch })).rejects.toMatchObject({
      code: "version-unknown",
    });

    const waiting = await prune(store, { ...rule, now: later(23) });
    expect(waiting.map(({ action }) => action)).toEqual(["wait", "wait"]);
    const second = await prune(store, { ...rule, now: later(24) });
    expect(second.map(({ action }) => action)).toEqual(["remove", "remove"]);
    expect(second.every(({ sizeBytes }) => sizeBytes > 5000)).toBe(true);
    expect(await storedVersions(store)).toEqual(["20261120.0", "20261123.0", "20261124.0"]);
    expect((await readChannels(store, place))?.pruned).toBeUndefined();
    expect(await prune(store, { ...rule, now: later(24) })).toEqual([]);
  });
});

describe("stopped at any moment", () => {
  test("channels stay readable, and a rerun finishes", async () => {
    let finished = false;
    let moment = 0;
    for (; !finished; moment += 1) {
      const store = await directoryStore();
      for (const day of [21, 22, 23]) await publishSample(store, image(`202611${day}.0`));
      await publishSample(store, image("20261123.0"), "stable");
      finished = await prune(stoppingAt(store, moment), { keep: 1, graceMs: 0, now, emit }).then(
        () => true,
        (error: unknown) => {
          expect(error).toMatchObject({ message: expect.stringMatching(/: stopped$/) });
          return false;
        },
      );
      const { manifest, prefix } = await resolveImage(store, "debian-12", { arch });
      const plain = await collect(readShard(store, `${prefix}image.tar.zst`, manifest, 1));
      expect(plain.equals(image("20261123.0").shards[1] ?? Buffer.of())).toBe(true);
      for (const version of await listedVersions(store)) await resolveImage(store, `debian-12@${version}`, { arch });
      await prune(store, { keep: 1, graceMs: 0, now, emit });
      expect(await storedVersions(store)).toEqual(["20261123.0"]);
      expect((await readChannels(store, place))?.pruned).toBeUndefined();
    }
    expect(moment).toBeGreaterThan(10);
  });
});

/** Nothing reaches the store any more after so many requests. */
function stoppingAt(store: Store, moment: number): Store {
  let passed = 0;
  const pass = () => {
    if (passed >= moment) throw new Error("stopped");
    passed += 1;
  };
  return changedStore(store, {
    stat: async (...args) => {
      pass();
      return store.stat(...args);
    },
    read: async function* (...args) {
      pass();
      yield* store.read(...args);
    },
    write: async (...args) => {
      pass();
      return store.write(...args);
    },
    list: async function* (...args) {
      pass();
      yield* store.list(...args);
    },
    remove: async (...args) => {
      pass();
      return store.remove(...args);
    },
  });
}

describe("what a killed publisher left", () => {
  async function storeWithLeftover() {
    const store = await directoryStore();
    await publishSample(store, image("20261123.0"));
    await store.write("images/debian-12/amd64/20261124.0/image.tar.zst", image("20261124.0").archive);
    return store;
  }

  test("goes after the time of grace, which begins when it is seen", async () => {
    const store = await storeWithLeftover();
    const rule = { keep: 3, graceMs: hour, emit };
    expect(await prune(store, { ...rule, now })).toMatchObject([{ version: "20261124.0", action: "unlist" }]);
    expect(await storedVersions(store)).toContain("20261124.0");
    expect(await prune(store, { ...rule, now: later(1) })).toMatchObject([{ action: "remove" }]);
    expect(await storedVersions(store)).toEqual(["20261123.0"]);
  });

  test("is taken up by the publisher's rerun before that", async () => {
    const store = await storeWithLeftover();
    await prune(store, { keep: 3, graceMs: hour, now, emit });
    await publishSample(store, image("20261124.0"));
    expect(await prune(store, { keep: 3, graceMs: hour, now: later(2), emit })).toEqual([]);
    expect((await resolveImage(store, "debian-12:candidate", { arch })).manifest.version).toBe("20261124.0");
  });

  test("is not listed by a publisher who found it just before it went; its rerun publishes it whole", async () => {
    const store = await storeWithLeftover();
    let pruned = false;
    const racing = changedStore(store, {
      async write(key, body, options) {
        if (key.endsWith("manifest.json") && !pruned) {
          pruned = true;
          await prune(store, { keep: 3, graceMs: 0, now, emit });
        }
        return store.write(key, body, options);
      },
    });
    await expect(publishSample(racing, image("20261124.0"))).rejects.toMatchObject({
      code: "version-leaving",
      kind: "retry",
    });
    expect(await listedVersions(store)).toEqual(["20261123.0"]);
    await publishSample(store, image("20261124.0"));
    const { manifest, prefix } = await resolveImage(store, "debian-12:candidate", { arch });
    expect(await collect(readShard(store, `${prefix}image.tar.zst`, manifest, 1))).toHaveLength(5000);
  });

  test("a version whose objects are being removed can't come back before that has ended", async () => {
    const store = await storeWithLeftover();
    const mark = (channels: Channels | undefined): Channels => ({
      ...(channels ?? expect.unreachable()),
      pruned: { "20261124.0": { since: now.toISOString(), removing: true } },
    });
    await changeChannels(store, place, mark);
    await expect(publishSample(store, image("20261124.0"))).rejects.toMatchObject({ code: "version-leaving" });
    expect(await prune(store, { keep: 3, graceMs: 9 * hour, now, emit })).toMatchObject([{ action: "remove" }]);
    await publishSample(store, image("20261124.0"));
    expect(await listedVersions(store)).toContain("20261124.0");
  });
});

test("a channel that moves to a version while it is pruned keeps it", async () => {
  const store = await directoryStore();
  for (const day of [21, 22, 23]) await publishSample(store, image(`202611${day}.0`));
  let promoted = false;
  const racing = changedStore(store, {
    async write(key, body, options) {
      if (!promoted) {
        promoted = true;
        await promote(store, "debian-12@20261121.0", { arch });
      }
      return store.write(key, body, options);
    },
  });
  const pruned = await prune(racing, { keep: 1, graceMs: 0, now, emit });
  expect(pruned.map(({ version }) => version)).toEqual(["20261122.0"]);
  expect((await resolveImage(store, "debian-12", { arch })).manifest.version).toBe("20261121.0");
});

test("what is no version's is left alone, and so is an image of which nothing is listed", async () => {
  const store = await directoryStore();
  const keys = ["images/debian-12/amd64/notes.txt", "images/debian-13/amd64/20261124.0/image.tar.zst", "other/x"];
  await publishSample(store, image("20261123.0"));
  for (const key of keys) await store.write(key, Buffer.of());
  expect(await prune(store, { keep: 1, graceMs: 0, now, emit })).toEqual([]);
  expect((await gather(store.list(""))).map(({ key }) => key)).toEqual(expect.arrayContaining(keys));
});

test.each([0, -1, 1.5, Number.NaN])("%s is no number of versions to keep", async (keep) => {
  const pruning = prune(await directoryStore(), { keep, graceMs: 0, emit });
  await expect(pruning).rejects.toMatchObject({ code: "keep-invalid", kind: "configuration" });
});

const version = fc
  .tuple(fc.integer({ min: 20261101, max: 20261128 }), fc.nat({ max: 12 }))
  .map(([day, build]) => `${day}.${build}`);
const channelName = fc.constantFrom("stable", "candidate", "beta", "constructor");
const time = fc.date({ min: new Date("2026-10-01"), max: new Date("2026-12-31"), noInvalidDate: true });

const state = fc
  .record({
    listed: fc.uniqueArray(version, { minLength: 1, maxLength: 12 }),
    leaving: fc.array(fc.tuple(version, time, fc.boolean()), { maxLength: 6 }),
    picks: fc.dictionary(channelName, fc.nat()),
    leftovers: fc.array(version, { maxLength: 6 }),
  })
  .map(({ listed, leaving, picks, leftovers }) => {
    const channels: Channels = {
      formatVersion: 1,
      versions: Object.fromEntries(listed.map((one) => [one, { manifestSha256: "0".repeat(64) }])),
      channels: Object.fromEntries(
        Object.entries(picks).flatMap(([name, pick]) =>
          listed
            .slice(pick % listed.length)
            .slice(0, 1)
            .map((one) => [name, one]),
        ),
      ),
      pruned: Object.fromEntries(
        leaving
          .filter(([one]) => !listed.includes(one))
          .map(([one, since, removing]) => [one, { since: since.toISOString(), ...(removing && { removing }) }]),
      ),
    };
    return { channels, stored: [...listed, ...leftovers] };
  });

test("whatever is listed: what a channel names stays, and as many of the newest as are to be kept", () => {
  fc.assert(
    fc.property(state, fc.integer({ min: 1, max: 15 }), fc.nat(30 * 24 * hour), time, (before, keep, graceMs, at) => {
      const { channels, leaving } = planPrune(before.channels, before.stored, { keep, graceMs, now: at });
      const gone = new Set(leaving.map((one) => one.version));
      const listed = Object.keys(before.channels.versions).sort((a, b) => compareVersions(b, a));
      const named = Object.values(before.channels.channels);
      for (const one of [...named, ...listed.slice(0, keep)]) {
        expect(gone.has(one)).toBe(false);
        expect(channels.versions[one]).toEqual(before.channels.versions[one]);
      }
      expect(channels.channels).toEqual(before.channels.channels);
      const staying = new Set([...named, ...listed.slice(0, keep)]);
      expect(new Set(Object.keys(channels.versions))).toEqual(staying);
      for (const { version: one, action } of leaving) {
        const entry = before.channels.pruned?.[one];
        const due = Date.parse(entry?.since ?? at.toISOString()) + graceMs <= at.getTime();
        expect(action === "remove").toBe(due || entry?.removing === true);
        expect(channels.pruned?.[one]?.removing === true).toBe(action === "remove");
      }
      for (const one of before.stored) expect(staying.has(one) || gone.has(one)).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test("of versions that are to be older, those that are not stay, to the day", () => {
  const versions = ["20261124.0", "20261120.3", "20261110.0", "20261109.9"];
  const channels: Channels = {
    formatVersion: 1,
    versions: Object.fromEntries(versions.map((one) => [one, { manifestSha256: "0".repeat(64) }])),
    channels: {},
  };
  const gone = (at: Date, olderThanMs?: number) =>
    planPrune(channels, [], {
      keep: 1,
      graceMs: 0,
      now: at,
      ...(olderThanMs !== undefined && { olderThanMs }),
    }).leaving.map((one) => one.version);
  const midnight = new Date("2026-11-24T00:00:00Z");
  expect(gone(midnight)).toEqual(["20261109.9", "20261110.0", "20261120.3"]);
  expect(gone(midnight, 14 * 24 * hour)).toEqual(["20261109.9", "20261110.0"]);
  expect(gone(new Date(midnight.getTime() - 1), 14 * 24 * hour)).toEqual(["20261109.9"]);
  expect(gone(midnight, 90 * 24 * hour)).toEqual([]);
});

test("people read what goes, when, and how much that frees", () => {
  const base = { ...place, removableAt: now, sizeBytes: 2 ** 30 };
  const pruned = [
    { ...base, version: "20261121.0", action: "remove" },
    { ...base, version: "20261122.0", action: "unlist" },
  ] as const;
  expect(describePruned(pruned, false).split("\n")).toEqual([
    "image      arch   version     files                      size",
    "debian-12  amd64  20261121.0  go now                     1.0 GiB",
    "debian-12  amd64  20261122.0  go after 2026-11-24 03:00  1.0 GiB",
    "freed 1.0 GiB; 1.0 GiB more later",
  ]);
  expect(describePruned([], false)).toBe("every version stays");
  expect(describePruned(pruned, true)).toContain("would free 1.0 GiB");
});

describe("promote", () => {
  test("lets a channel name what another names", async () => {
    const store = await directoryStore();
    await publishSample(store, image("20261122.0"), "stable");
    await publishSample(store, image("20261123.0"));
    const promoted = await promote(store, "debian-12:candidate", { arch });
    expect(promoted).toEqual({ ...place, version: "20261123.0", channel: "stable", former: "20261122.0" });
    expect((await resolveImage(store, "debian-12", { arch })).manifest.version).toBe("20261123.0");
    expect(await promote(store, "debian-12:candidate", { arch })).toMatchObject({ former: "20261123.0" });
  });

  test.each([
    ["version-unknown", "configuration", "debian-12@20261125.0"],
    ["channel-unknown", "configuration", "debian-12:beta"],
    ["image-unknown", "configuration", "debian-13"],
    ["channel-ahead", "refused", "debian-12@20261122.0"],
  ])("%s", async (code, kind, reference) => {
    const store = await directoryStore();
    await publishSample(store, image("20261122.0"));
    await publishSample(store, image("20261123.0"), "stable");
    const before = await readChannels(store, place);
    await expect(promote(store, reference, { arch })).rejects.toMatchObject({ code, kind });
    expect(await readChannels(store, place)).toEqual(before);
  });

  test("a version that is pruned while it is promoted does not come back", async () => {
    const store = await directoryStore();
    for (const day of [21, 22]) await publishSample(store, image(`202611${day}.0`));
    let pruned = false;
    const racing = changedStore(store, {
      async write(key, body, options) {
        if (!pruned) {
          pruned = true;
          await prune(store, { keep: 1, graceMs: hour, now, emit });
        }
        return store.write(key, body, options);
      },
    });
    const promoting = promote(racing, "debian-12@20261121.0", { arch });
    await expect(promoting).rejects.toMatchObject({ code: "version-unknown" });
    expect((await readChannels(store, place))?.channels).toEqual({ candidate: "20261122.0" });
  });
});

describe("on the command line", () => {
  const cli = new URL("../../cli.ts", import.meta.url).pathname;
  const run = (keys: string, ...words: string[]) =>
    execa(process.execPath, [cli, ...words], { reject: false, env: { METALCAST_KEYS: keys } });
  const signedStore = async () =>
    newMirror(await directoryStore(), { directory: fileDirectory, images: ["debian-12"] });

  test("promote and prune say what they did; a dry run does nothing", async () => {
    const { mirror: store, keys } = await signedStore();
    const metalcast = (...words: string[]) => run(keys, ...words);
    for (const day of [21, 22, 23]) await publishSample(store, image(`202611${day}.0`));
    const promoted = await metalcast("promote", "debian-12:candidate", "--on", store.url);
    expect(promoted).toMatchObject({ stdout: "debian-12:stable is 20261123.0", exitCode: 0 });
    const dry = await metalcast("prune", store.url, "--keep", "2", "--grace", "0s", "--dry-run");
    expect(dry.stdout).toMatch(/debian-12 +amd64 +20261121\.0 +go now .*\nwould free /);
    expect(await listedVersions(store)).toHaveLength(3);
    const none = await metalcast(
      "prune",
      store.url,
      "--keep",
      "1",
      "--channel",
      "stable",
      "--grace",
      "0s",
      "--dry-run",
    );
    expect(none).toMatchObject({ stdout: "every version stays", exitCode: 0 });
    const pruned = await metalcast("--json", "prune", store.url, "--keep", "2", "--grace", "0s");
    expect(JSON.parse(pruned.stdout.split("\n").at(-1) ?? "")).toMatchObject([{ version: "20261121.0" }]);
    expect(await listedVersions(store)).toEqual(["20261123.0", "20261122.0"]);
  });

  test.each([
    [3, "keep-invalid", ["prune", "--keep", "none"]],
    [3, "duration", ["prune", "--keep", "1", "--grace", "a while"]],
    [6, "channel-ahead", ["promote", "debian-12@20261122.0"]],
  ])("exit code %i: %s", async (exitCode, _, [verb = "", ...words]) => {
    const { mirror: store, keys } = await signedStore();
    await publishSample(store, image("20261122.0"));
    await publishSample(store, image("20261123.0"), "stable");
    const where = verb === "prune" ? [store.url] : ["--on", store.url];
    expect(await run(keys, verb, ...where, ...words)).toMatchObject({ exitCode, stdout: "" });
  });
});
