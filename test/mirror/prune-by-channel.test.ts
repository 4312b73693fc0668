import { expect, test } from "vitest";
import { type Channels, changeChannels, readChannels } from "../../mirror/channel.ts";
import { DirectoryStore } from "../../mirror/directory-store.ts";
import { promote } from "../../mirror/promote.ts";
import { prune } from "../../mirror/prune.ts";
import { planPrune } from "../../mirror/prune-plan.ts";
import { publish } from "../../mirror/publish.ts";
import { retire } from "../../mirror/retire.ts";
import { rollback } from "../../mirror/rollback.ts";
import type { Store } from "../../mirror/store.ts";
import { makeSampleImage, temporaryDirectory, writeSampleImage } from "./sample-image.ts";

const emit = () => undefined;
const arch = "amd64";
const place = { name: "debian-12", arch } as const;
const hour = 3_600_000;
const now = new Date("2026-11-24T03:00:00Z");

async function publishSample(store: Store, version: string, channel = "candidate") {
  await using directory = await temporaryDirectory();
  await writeSampleImage(directory.path, makeSampleImage({ version, frameSizes: [[700], [5000], [700]] }));
  return await publish(store, directory.path, { emit, channel });
}

const versionsOf = (naming: Record<string, string[] | undefined>) =>
  Object.fromEntries(
    Object.entries(naming).map(([one, namedBy]) => [
      one,
      { manifestSha256: "0".repeat(64), ...(namedBy && { namedBy }) },
    ]),
  );

test("only what no other channel has ever named goes, and what has no record stays", () => {
  const channels: Channels = {
    formatVersion: 1,
    versions: versionsOf({
      "20261101.0": ["candidate"],
      "20261102.0": undefined,
      "20261103.0": ["candidate", "stable"],
      "20261104.0": ["candidate"],
      "20261105.0": [],
      "20261106.0": ["beta"],
      "20261107.0": ["candidate"],
      "20261108.0": ["candidate"],
    }),
    channels: { candidate: "20261104.0", stable: "20261103.0" },
    pruned: {
      "20261001.0": { since: "2026-11-01T00:00:00Z" },
      "20261002.0": { since: "2026-11-01T00:00:00Z", namedBy: ["candidate"] },
      "20261003.0": { since: "2026-11-01T00:00:00Z", namedBy: ["candidate", "stable"], removing: true },
    },
  };
  const rule = { keep: 2, graceMs: hour, now, channel: "candidate" };
  const plan = planPrune(channels, ["20261004.0", ...Object.keys(channels.versions)], rule);
  expect(plan.leaving.map(({ version: one, action }) => [one, action])).toEqual([
    ["20261002.0", "remove"],
    ["20261101.0", "unlist"],
    ["20261105.0", "unlist"],
  ]);
  const { "20261101.0": _, "20261105.0": __, ...left } = channels.versions;
  expect(plan.channels.versions).toEqual(left);
  expect(plan.channels.pruned).toEqual({
    ...channels.pruned,
    "20261002.0": { since: "2026-11-01T00:00:00Z", namedBy: ["candidate"], removing: true },
    "20261101.0": { since: now.toISOString(), namedBy: ["candidate"] },
    "20261105.0": { since: now.toISOString(), namedBy: [] },
  });
});

test("publish, promote and rollback keep the record, and what leaves takes it along", async () => {
  await using directory = await temporaryDirectory();
  const store = new DirectoryStore(directory.path);
  const records = async () => {
    const listed = (await readChannels(store, place))?.versions ?? {};
    return Object.fromEntries(Object.entries(listed).map(([one, { namedBy }]) => [one.slice(6), namedBy]));
  };
  for (const day of [21, 22, 23]) await publishSample(store, `202611${day}.0`);
  // A channel that is ahead does not name what comes late.
  await publishSample(store, "20261120.0");
  await promote(store, "debian-12:candidate", { arch });
  await rollback(store, "debian-12", { version: "20261122.0", arch });
  const named = { "21.0": ["candidate"], "22.0": ["candidate", "stable"], "23.0": ["candidate", "stable"] };
  expect(await records()).toEqual({ "20.0": [], ...named });
  await publishSample(store, "20261122.0", "stable");
  expect(await records()).toEqual({ "20.0": [], ...named });

  await promote(store, "debian-12@20261123.0", { arch });
  await retire(store, "debian-12@20261122.0", { arch });
  await publishSample(store, "20261122.0");
  expect(await records()).toEqual({ "20.0": [], ...named });
  const pruned = await prune(store, { keep: 1, channel: "candidate", graceMs: 0, now, emit });
  expect(pruned.map(({ version: one }) => one)).toEqual(["20261120.0"]);
  expect(Object.keys(await records()).sort()).toEqual(["21.0", "22.0", "23.0"]);
});

test("a version of which no record was kept gets none later", async () => {
  await using directory = await temporaryDirectory();
  const store = new DirectoryStore(directory.path);
  await publishSample(store, "20261121.0");
  await changeChannels(store, place, (current = expect.unreachable()) => {
    const listed = current.versions["20261121.0"] ?? expect.unreachable();
    const { namedBy: _, ...entry } = listed;
    return { ...current, versions: { "20261121.0": entry } };
  });
  await publishSample(store, "20261121.0");
  await promote(store, "debian-12:candidate", { arch });
  expect((await readChannels(store, place))?.versions["20261121.0"]).not.toHaveProperty("namedBy");
});

test("a name that is no channel's is refused", async () => {
  await using directory = await temporaryDirectory();
  const pruning = prune(new DirectoryStore(directory.path), { keep: 1, channel: "no channel", graceMs: 0, emit });
  await expect(pruning).rejects.toMatchObject({ code: "channel-invalid", kind: "configuration" });
});
