import { readdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CreateMultipartUploadCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, expect, test } from "vitest";
import { Failure } from "../../common/failure.ts";
import { DirectoryStore } from "../../mirror/directory-store.ts";
import { openStore } from "../../mirror/open-store.ts";
import { prune } from "../../mirror/prune.ts";
import { removeUnfinished } from "../../mirror/remove-unfinished.ts";
import { startCephS3 } from "../lab/ceph-s3.ts";
import { changedStore } from "./changed-store.ts";
import { gather } from "./gather.ts";
import { temporaryDirectory } from "./sample-image.ts";

const day = 86_400_000;
const server = await startCephS3();
afterAll(() => server[Symbol.asyncDispose]());
const { endpoint, credentials } = server;

function listen() {
  const said: string[] = [];
  return {
    said,
    emit: (event: { kind: string; text?: string }) => void (event.kind === "note" && said.push(event.text ?? "")),
  };
}

async function openBucket() {
  const Bucket = await server.createBucket();
  const client = new S3Client({ endpoint, credentials, region: "us-east-1", forcePathStyle: true });
  /** As a writer leaves it that is killed before the first part has arrived. */
  const begin = (Key: string) => client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
  const store = openStore(`s3://${Bucket}/mirror`, { s3: { endpoint, credentials } });
  const left = async () => (await gather(store.listUnfinished?.("") ?? [])).map(({ name }) => name);
  return { store, begin, left };
}

test("parts of uploads that a killed publisher left go after a day, those of other prefixes stay", async () => {
  const { store, begin, left } = await openBucket();
  const key = "images/debian-12/amd64/20261124.0/image.tar.zst";
  const other = "images/rocky-9/amd64/20261124.0/image.tar.zst";
  await begin(`mirror/${key}`);
  await begin(`mirror/${other}`);
  await begin("elsewhere/object");
  const { said, emit } = listen();
  await prune(store, { keep: 1, graceMs: 0, emit });
  expect(await left()).toEqual([key, other]);

  const now = new Date(Date.now() + day + 60_000);
  const image = { name: "debian-12", arch: "amd64" } as const;
  await prune(store, { keep: 1, graceMs: 0, now, image, dryRun: true, emit });
  expect(said).toEqual([expect.stringMatching(`^would remove the unfinished write of ${key}, begun `)]);
  expect(await left()).toEqual([key, other]);
  await prune(store, { keep: 1, graceMs: 0, now, image, emit });
  expect(await left()).toEqual([other]);
  await prune(store, { keep: 1, graceMs: 0, now, emit });
  expect(await left()).toEqual([]);
  expect(said.slice(1).map((text) => text.split(",")[0])).toEqual([
    `removed the unfinished write of ${key}`,
    `removed the unfinished write of ${other}`,
  ]);
});

test("more uploads than a page lists", { timeout: 300_000 }, async () => {
  const { begin, left } = await openBucket();
  const keys = Array.from({ length: 1010 }, (_, index) => `object-${String(index).padStart(4, "0")}`);
  for (let index = 0; index < keys.length; index += 50) {
    await Promise.all(keys.slice(index, index + 50).map((key) => begin(`mirror/${key}`)));
  }
  expect(await left()).toEqual(keys);
});

test("files of a directory that a killed writer left go after a day, the lock stays", async () => {
  await using directory = await temporaryDirectory();
  const store = new DirectoryStore(directory.path);
  await store.write("object", Buffer.from("1"));
  await store.write("object", Buffer.from("2"));
  const hidden = join(directory.path, ".metalcast");
  const [old, young] = ["0b8f2c52-96b4-4f0f-8a39-6d1f3b1e2a01", "0b8f2c52-96b4-4f0f-8a39-6d1f3b1e2a02"];
  for (const name of [old, young, "lock"]) {
    await writeFile(join(hidden, name), "x");
    if (name !== young) await utimes(join(hidden, name), new Date(0), new Date(0));
  }
  const { said, emit } = listen();
  expect(await removeUnfinished(store, { emit })).toBe(1);
  expect(await readdir(hidden)).toEqual([young, "lock"]);
  expect(said).toEqual([`removed the unfinished write of .metalcast/${old}, begun 1970-01-01 00:00 UTC`]);
});

test("rights that are missing for it are told, and nothing fails", async () => {
  await using directory = await temporaryDirectory();
  const denied = new Failure({ code: "store-denied", kind: "configuration", message: "no", hint: "allow it" });
  const store = changedStore(new DirectoryStore(directory.path), {
    // biome-ignore lint/correctness/useYield: nothing may be listed
    async *listUnfinished() {
      throw denied;
    },
  });
  const { said, emit } = listen();
  expect(await removeUnfinished(store, { emit })).toBe(0);
  expect(said).toEqual(["unfinished writes stay: no; allow it"]);
});
