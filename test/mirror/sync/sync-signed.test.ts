import { expect, test } from "vitest";
import { readShard } from "../../../mirror/frames.ts";
import { publish } from "../../../mirror/publish.ts";
import { resolveImage } from "../../../mirror/resolve.ts";
import type { Store } from "../../../mirror/store.ts";
import { sync } from "../../../mirror/sync/sync.ts";
import { TrustedReader } from "../../../mirror/trust/reader.ts";
import { rotateKeys } from "../../../mirror/trust/rotate.ts";
import { SignedStore } from "../../../mirror/trust/signed-store.ts";
import { fileDirectory } from "../../file-directory.ts";
import { collect } from "../gather.ts";
import { type SampleImage, temporaryDirectory, writeSampleImage } from "../sample-image.ts";
import { newMirror } from "../trust/new-mirror.ts";
import { MemoryStore } from "./memory-store.ts";
import { stoppingAt } from "./stopping-at.ts";
import { contents, keysOf, sampleVersion } from "./unsigned-mirror.ts";

const emit = () => undefined;
const options = { emit, retryDelayMs: 1 };
const first = sampleVersion("20261121.0");
const second = sampleVersion("20261122.0");
const tomorrow = () => new Date(Date.now() + 86_400_000);

async function publishSample(mirror: Store, image: SampleImage) {
  await using directory = await temporaryDirectory();
  await writeSampleImage(directory.path, image);
  await publish(mirror, directory.path, { emit });
}

/** What an installation does: from the pinned root to the bytes. @returns the version */
async function install(store: Store, root: Uint8Array): Promise<string> {
  const mirror = new SignedStore(store, new TrustedReader(store, root));
  const { manifest, prefix } = await resolveImage(mirror, "debian-12", { arch: "amd64" });
  await collect(readShard(mirror, `${prefix}image.tar.zst`, manifest, 1));
  return manifest.version;
}

test("a copy is as good as its source for readers, who check all signatures, before and after new keys", async () => {
  const [from, to] = [new MemoryStore(), new MemoryStore()];
  const { mirror, ring } = await newMirror(from, { directory: fileDirectory });
  const root = await ring.readRoot();
  await publishSample(mirror, first);
  await sync(from, to, options);
  expect(await install(to, root)).toBe("20261121.0");
  await rotateKeys(from, ring, "timestamp");
  await rotateKeys(from, ring, "images");
  await publishSample(mirror, second);
  await sync(from, to, options);
  expect(await install(to, root)).toBe("20261122.0");
  expect(await keysOf(to)).toContain("metadata/2.root.json");
  const swept = new MemoryStore();
  await sync(from, swept, options);
  await sync(from, to, { ...options, delete: true });
  expect(await contents(to)).toEqual(await contents(swept));
});

test.each(["timestamp", "snapshot", "root", "targets"] as const)(
  "stopped anywhere in bringing over new keys of %s, readers go on",
  async (role) => {
    const from = new MemoryStore();
    const { mirror, ring } = await newMirror(from, { directory: fileDirectory });
    const root = await ring.readRoot();
    await publishSample(mirror, first);
    const former = new MemoryStore();
    await sync(from, former, options);
    await rotateKeys(from, ring, role);
    let finished = false;
    let moment = 0;
    for (; !finished; moment += 1) {
      const to = new MemoryStore();
      await sync(former, to, options);
      finished = await sync(from, stoppingAt(to, moment), options).then(
        () => true,
        () => false,
      );
      expect(await install(to, root)).toBe("20261121.0");
      await sync(from, to, { ...options, now: tomorrow });
      expect(await keysOf(to)).toContain("metadata/2.root.json");
      expect(await install(to, root)).toBe("20261121.0");
    }
    expect(moment).toBeGreaterThan(3);
  },
);
