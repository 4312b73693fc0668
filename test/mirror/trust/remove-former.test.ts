import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DirectoryStore } from "../../../mirror/directory-store.ts";
import { publish } from "../../../mirror/publish.ts";
import { resolveImage } from "../../../mirror/resolve.ts";
import { openMirror } from "../../../mirror/trust/open-mirror.ts";
import { removeFormer } from "../../../mirror/trust/remove-former.ts";
import { readRepository } from "../../../mirror/trust/repository.ts";
import { gather } from "../gather.ts";
import { makeSampleImage, writeSampleImage } from "../sample-image.ts";
import { newMirror } from "./new-mirror.ts";

test("former statements go, but those that somebody may be reading, and what a publisher is about to sign", async () => {
  const directory = await mkdtemp(join(tmpdir(), "former-"));
  await mkdir(join(directory, "mirror"));
  const store = new DirectoryStore(join(directory, "mirror"));
  const { ring, root, mirror } = await newMirror(store, { directory });
  for (const number of [1, 2, 3, 4, 5]) {
    const image = join(directory, String(number));
    await mkdir(image);
    await writeSampleImage(image, makeSampleImage({ version: `20261123.${number}` }));
    await publish(mirror, image, { emit: () => undefined });
  }
  await store.write("metadata/6.debian-12.json", Buffer.from("{}"));
  const keys = async (prefix: string) => (await gather(store.list(prefix))).map(({ key }) => key.slice(prefix.length));
  const statements = async () => (await keys("images/debian-12/amd64/")).filter((key) => key.endsWith("channels.json"));
  expect(await statements()).toHaveLength(5);

  const current = await readRepository(store, ring);
  await removeFormer(store, current, { kept: 1 });
  const left = await keys("metadata/");
  expect(left.filter((key) => key.includes("debian-12"))).toEqual([
    "4.debian-12.json",
    "5.debian-12.json",
    "6.debian-12.json",
  ]);
  expect(left).toContain("1.root.json");
  expect(left.filter((key) => key.includes("snapshot"))).toHaveLength(2);
  expect(await statements()).toHaveLength(2);
  const reader = openMirror(store.url, { root });
  expect((await resolveImage(reader, "debian-12", { arch: "amd64" })).manifest.version).toBe("20261123.5");
  await rm(directory, { recursive: true });
});
