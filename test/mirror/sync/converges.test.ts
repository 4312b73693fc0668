import fc from "fast-check";
import { expect, test } from "vitest";
import type { Store } from "../../../mirror/store.ts";
import type { SyncFilter } from "../../../mirror/sync/select-versions.ts";
import { sync } from "../../../mirror/sync/sync.ts";
import type { SampleImage } from "../sample-image.ts";
import { MemoryStore } from "./memory-store.ts";
import { keysOf, putMirror, readEverything, type SampleStatement, sampleVersion } from "./unsigned-mirror.ts";

const options = { emit: () => undefined, retryDelayMs: 1 };
const days = ["21", "22", "23", "24"];
const pool = [
  ...days.map((day) => sampleVersion(`202611${day}.0`)),
  ...days.slice(0, 2).map((day) => sampleVersion(`202611${day}.0`, "rocky-9", "arm64")),
];
const nameOf = ({ manifest }: SampleImage) => manifest.name;
const versionOf = ({ manifest }: SampleImage) => manifest.version;

/** Some versions, and channels that name some of them. */
const statements: fc.Arbitrary<SampleStatement> = fc.subarray(pool, { minLength: 1 }).chain((images) =>
  fc.dictionary(fc.constantFrom("stable", "candidate"), fc.constantFrom(...images), { maxKeys: 2 }).map((named) => ({
    images,
    channels: Object.fromEntries(
      Object.entries(named).map(([channel, image]) => [`${nameOf(image)}:${channel}`, versionOf(image)]),
    ),
  })),
);

const filters: fc.Arbitrary<SyncFilter> = fc.oneof(
  fc.constant({}),
  fc.record({ newest: fc.integer({ min: 1, max: 3 }) }),
  fc.constantFrom("amd64" as const, "arm64" as const).map((arch) => ({ archs: [arch] })),
);

/** What may have befallen an object of the target: its key's place among all, and how. */
const mishaps = fc.array(fc.tuple(fc.nat(), fc.constantFrom("lost", "cut", "longer")), { maxLength: 8 });

async function befall(store: Store, what: [number, string][]): Promise<void> {
  for (const [place, mishap] of what) {
    const keys = (await keysOf(store)).filter((key) => !/timestamp\.json$|root\.json$/.test(key));
    const key = keys[place % keys.length];
    if (key === undefined) return;
    if (mishap === "lost") await store.remove(key);
    else await store.write(key, Buffer.alloc(mishap === "cut" ? 3 : 100_000));
  }
}

const ofVersions = (keys: string[]) => keys.filter((key) => /\/\d{8}\.\d+\//.test(key));

test("whatever the target has, one run makes it whole, removes nothing that is named, and leaves nothing to do", async () => {
  const states = fc.record({
    former: statements,
    formerFilter: filters,
    next: statements,
    filter: filters,
    mishaps,
    deletes: fc.boolean(),
  });
  const check = fc.asyncProperty(states, async ({ former, formerFilter, next, filter, mishaps: what, deletes }) => {
    const [from, to] = [new MemoryStore(), new MemoryStore()];
    await putMirror(from, 1, former);
    await sync(from, to, { ...options, filter: formerFilter });
    await befall(to, what);
    await to.write("images/notes.txt", Buffer.from("a note"));
    await putMirror(from, 2, next);
    const before = await keysOf(to);

    const summary = await sync(from, to, { ...options, filter, delete: deletes });
    expect(await readEverything(to, filter)).toBe(2);
    const after = await keysOf(to);
    if (!deletes) expect(after).toEqual(expect.arrayContaining(before));
    expect(after).toContain("images/notes.txt");
    expect(summary.pointerMoved).toBe(true);

    // Metadata that readers of the former pointer may still follow goes one run later.
    const again = await sync(from, to, { ...options, filter, delete: deletes });
    expect(again).toMatchObject({ copied: { objects: 0 }, pointerMoved: false });
    expect(ofVersions(await keysOf(to))).toEqual(ofVersions(after));
    const idle = await sync(from, to, { ...options, filter, delete: deletes });
    expect(idle).toMatchObject({ copied: { objects: 0 }, deleted: { objects: 0 } });
    if (deletes) expect(ofVersions(await keysOf(to)).length).toBeLessThanOrEqual(next.images.length * 3);
  });
  await fc.assert(check, { numRuns: 60 });
});
