import { mkdtemp, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { DiskFile } from "../../../factory/disk/block-source.ts";
import { locateVolume } from "../../../factory/disk/volume-file.ts";
import { MountNamespace } from "../../../factory/namespace.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp("/var/tmp/volume-file-");
});
afterEach(() => rm(folder, { recursive: true }));

it("copies no volume whose size is more than could be read", async () => {
  const sizeBytes = 15 * 2 ** 40;
  const path = join(folder, "disk.raw");
  await using file = await open(path, "w");
  await file.truncate(sizeBytes);
  await using disk = await DiskFile.open(path);
  await using namespace = await MountNamespace.open();
  const volume = {
    name: "partition 1",
    pieces: [{ offsetBytes: 0, sizeBytes }],
    sizeBytes,
    fileSystem: { kind: "ext4", uuid: "", label: "", journal: "dirty" },
  } as const;
  const locating = locateVolume({ namespace, disk, scratch: folder, copies: new Map() }, volume);
  await expect(locating).rejects.toMatchObject({ code: "volume-too-large", kind: "failed", data: { sizeBytes } });
  expect(await readdir(folder)).toEqual(["disk.raw"]);
});
