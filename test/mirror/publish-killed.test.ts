import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { Failure } from "../../common/failure.ts";
import { run } from "../../common/run.ts";
import { readShard } from "../../mirror/frames.ts";
import { publish } from "../../mirror/publish.ts";
import { resolveImage } from "../../mirror/resolve.ts";
import type { Store } from "../../mirror/store.ts";
import { collect } from "./gather.ts";
import { makeSampleImage, temporaryDirectory, writeSampleImage } from "./sample-image.ts";
import { startWritableStores } from "./writable-stores.ts";

const stores = await startWritableStores();
afterAll(stores.stop);
const emit = () => undefined;
const frameSizes = [[700], [50_000, 9000], [700]];
const former = makeSampleImage({ version: "20261122.0", frameSizes });
const next = makeSampleImage({ version: "20261123.0", frameSizes });

/** Reads all of an image, as an installation does. @returns its version */
async function readAll(store: Store, reference: string): Promise<string> {
  const { manifest, prefix } = await resolveImage(store, reference, { arch: "amd64" });
  const { shards } = manifest.version === next.manifest.version ? next : former;
  for (const [index, shard] of shards.entries()) {
    const plain = await collect(readShard(store, `${prefix}image.tar.zst`, manifest, index));
    expect(plain.equals(shard)).toBe(true);
  }
  return manifest.version;
}

/** Not every moment where one costs a second more, or where there are many. */
const strides: Record<string, number> = { S3: 3, "a signed mirror": 2 };

test.each(stores.kinds)(
  "killed at any moment on %s: readers see whole versions, and a rerun finishes",
  // A process for each moment.
  { timeout: 10 * 60_000 },
  async (kind, open) => {
    await using formerDirectory = await temporaryDirectory();
    await using nextDirectory = await temporaryDirectory();
    await writeSampleImage(formerDirectory.path, former);
    await writeSampleImage(nextDirectory.path, next);
    const script = fileURLToPath(new URL("./publish-until-killed.ts", import.meta.url));
    const seen = new Set<string>();
    let moment = 0;
    for (let killed = true; killed; moment += strides[kind] ?? 1) {
      const { store, url, env } = await open();
      await publish(store, formerDirectory.path, { emit });
      killed = await run(process.execPath, [script, url, nextDirectory.path, String(moment)], {
        doing: "publishing",
        env,
      }).then(
        () => false,
        (error: unknown) => {
          if (error instanceof Failure && error.data.signal === "SIGKILL") return true;
          throw error;
        },
      );
      const version = await readAll(store, "debian-12");
      seen.add(version);
      const pinned = await readAll(store, "debian-12@20261123.0").catch((error: unknown) => error);
      if (version === "20261123.0") expect(pinned).toBe("20261123.0");
      else expect(pinned).toMatchObject({ code: "version-unknown" });
      await publish(store, nextDirectory.path, { emit });
      expect(await readAll(store, "debian-12")).toBe("20261123.0");
    }
    expect(seen).toEqual(new Set(["20261122.0", "20261123.0"]));
    expect(moment).toBeGreaterThan(12);
  },
);
