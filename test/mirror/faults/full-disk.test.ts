import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { run } from "../../../common/run.ts";
import { DirectoryStore } from "../../../mirror/directory-store.ts";
import { readShard } from "../../../mirror/frames.ts";
import { publish } from "../../../mirror/publish.ts";
import { resolveImage } from "../../../mirror/resolve.ts";
import type { Store } from "../../../mirror/store.ts";
import { sync } from "../../../mirror/sync/sync.ts";
import { fileDirectory } from "../../file-directory.ts";
import { collect, gather } from "../gather.ts";
import { makeSampleImage, temporaryDirectory, writeSampleImage } from "../sample-image.ts";
import { putMirror, readEverything } from "../sync/unsigned-mirror.ts";
import { newMirror } from "../trust/new-mirror.ts";

const emit = () => undefined;
const pageBytes = 4096;
const doing = "preparing a small file system";

/** A directory store on a file system of its own. */
async function openSmall(pages: number) {
  const directory = await temporaryDirectory();
  await run("mount", ["-t", "tmpfs", "-o", `size=${pages * pageBytes}`, "tmpfs", directory.path], { doing });
  return {
    path: directory.path,
    store: new DirectoryStore(directory.path),
    resize: (size: number) => run("mount", ["-o", `remount,size=${size * pageBytes}`, directory.path], { doing }),
    async [Symbol.asyncDispose]() {
      await run("umount", [directory.path], { doing });
      await directory[Symbol.asyncDispose]();
    },
  };
}

const frameSizes = [[700], [40_000], [700]];
const former = makeSampleImage({ version: "20261122.0", frameSizes });
const next = makeSampleImage({ version: "20261123.0", frameSizes });

async function readAll(store: Store): Promise<string> {
  const { manifest, prefix } = await resolveImage(store, "debian-12", { arch: "amd64" });
  const { shards } = manifest.version === next.manifest.version ? next : former;
  const plain = await collect(readShard(store, `${prefix}image.tar.zst`, manifest, 1));
  expect(plain.equals(shards[1] ?? Buffer.of())).toBe(true);
  return manifest.version;
}

test("full at any page of a publish: readers have whole versions, no partial file is left, and a rerun goes on", async () => {
  await using formerDirectory = await temporaryDirectory();
  await using nextDirectory = await temporaryDirectory();
  await writeSampleImage(formerDirectory.path, former);
  await writeSampleImage(nextDirectory.path, next);
  const seen = new Set<string>();
  let published = false;
  for (let free = 0; !published; free += 1) {
    await using small = await openSmall(1000);
    const { store, path } = small;
    const { mirror } = await newMirror(store, { directory: fileDirectory, images: ["debian-12"] });
    await publish(mirror, formerDirectory.path, { emit });
    await small.resize((await usedPages(path)) + free);
    published = await publish(mirror, nextDirectory.path, { emit }).then(
      () => true,
      (error: unknown) => {
        expect(error).toMatchObject({
          code: "store-full",
          kind: "configuration",
          message: expect.stringMatching(/writing file:.*: (it needs .* are free|no space left)/),
        });
        return false;
      },
    );
    seen.add(await readAll(mirror));
    expect((await readdir(join(path, ".metalcast"))).filter((name) => name !== "lock")).toEqual([]);
    await small.resize(1000);
    await publish(mirror, nextDirectory.path, { emit });
    expect(await readAll(mirror)).toBe("20261123.0");
  }
  expect(seen).toEqual(new Set(["20261122.0", "20261123.0"]));
});

test("full in the middle of a sync: readers have what they had, no partial file is left, and a rerun goes on", async () => {
  await using directory = await temporaryDirectory();
  const from = new DirectoryStore(directory.path);
  await putMirror(from, 1, { images: [former] });
  await using small = await openSmall(1000);
  const { store, path } = small;
  await sync(from, store, { emit });
  await putMirror(from, 2, { images: [former, next] });
  const used = await usedPages(path);
  const full = { code: "store-full", exitCode: 3, hint: expect.stringContaining("then run it again") };
  for (const free of [1, 3, 8]) {
    await small.resize(used + free);
    await expect(sync(from, store, { emit })).rejects.toMatchObject(full);
    expect(await readEverything(store)).toBe(1);
    expect((await readdir(join(path, ".metalcast"))).filter((name) => name !== "lock")).toEqual([]);
  }
  await small.resize(1000);
  await sync(from, store, { emit });
  expect(await readEverything(store)).toBe(2);
});

async function usedPages(path: string): Promise<number> {
  const stdout: string[] = [];
  await run("df", ["--block-size=4096", "--output=used", path], { doing, onLine: (line) => stdout.push(line) });
  return Number(stdout[1]);
}

test("what does not fit is refused before it is begun, and the message says how much is missing", async () => {
  await using small = await openSmall(256);
  async function* body() {
    yield expect.unreachable();
  }
  await expect(small.store.write("object", body(), { sizeBytes: 2 ** 30 })).rejects.toMatchObject({
    code: "store-full",
    message: expect.stringMatching(/writing file:.*\/object: it needs 1\.0 GiB, 1\.0 MiB are free$/),
    data: { neededBytes: 2 ** 30, freeBytes: 2 ** 20 },
  });
  expect(await gather(small.store.list(""))).toEqual([]);
});
