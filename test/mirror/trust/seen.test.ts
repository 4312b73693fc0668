import { cp } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DirectoryStore } from "../../../mirror/directory-store.ts";
import { KeyRing } from "../../../mirror/trust/key-ring.ts";
import { refreshMirror } from "../../../mirror/trust/refresh.ts";
import { readRepository } from "../../../mirror/trust/repository.ts";
import { temporaryDirectory } from "../sample-image.ts";
import { newMirror } from "./new-mirror.ts";

test("what another publisher has signed is seen by reading it, and an older state refused after that", async () => {
  await using directory = await temporaryDirectory();
  await using stores = await temporaryDirectory();
  const store = new DirectoryStore(stores.path);
  const { ring, keys } = await newMirror(store, { directory: directory.path });
  await cp(keys, join(directory.path, "other"), { recursive: true });
  const other = await KeyRing.open(join(directory.path, "other"));
  await refreshMirror(store, other);
  await using older = await temporaryDirectory();
  await cp(stores.path, older.path, { recursive: true });
  await refreshMirror(store, other);

  const { timestampVersion, snapshotVersion } = await readRepository(store, ring);
  expect(await ring.readSeen()).toEqual({ timestamp: timestampVersion, snapshot: snapshotVersion });
  const reading = readRepository(new DirectoryStore(older.path), ring);
  await expect(reading).rejects.toMatchObject({ code: "mirror-rolled-back", kind: "integrity" });
  await Promise.all([3, 9, 5].map((version) => ring.raiseSeen({ timestamp: version, snapshot: version })));
  expect(await ring.readSeen()).toEqual({ timestamp: 9, snapshot: 9 });
});
