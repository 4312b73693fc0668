import { HeadObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, describe, expect, test } from "vitest";
import type { Event } from "../../../common/event.ts";
import { Failure } from "../../../common/failure.ts";
import { openStore } from "../../../mirror/open-store.ts";
import type { S3Options } from "../../../mirror/s3-store.ts";
import type { Store } from "../../../mirror/store.ts";
import { describeSynced } from "../../../mirror/sync/describe-synced.ts";
import { sync } from "../../../mirror/sync/sync.ts";
import { startCephS3 } from "../../lab/ceph-s3.ts";
import { changedStore } from "../changed-store.ts";
import { collect } from "../gather.ts";
import { sha256 } from "../sample-image.ts";
import { MemoryStore } from "./memory-store.ts";
import { contents, keysOf, putMirror, readEverything, sampleVersion, versionPrefix } from "./unsigned-mirror.ts";

const first = sampleVersion("20261121.0");
const second = sampleVersion("20261122.0");
const archiveOf = (image: typeof first) => `${versionPrefix(image)}image.tar.zst`;

function watchEvents() {
  const events: Event[] = [];
  const notes = () => events.flatMap((event) => (event.kind === "note" ? [event.text] : []));
  return { notes, options: { emit: (event: Event) => void events.push(event), retryDelayMs: 1 } };
}

describe("on a real server", async () => {
  const server = await startCephS3();
  afterAll(() => server[Symbol.asyncDispose]());
  const { endpoint, credentials } = server;

  async function openBucket() {
    const bucket = await server.createBucket();
    const open = (options: S3Options = {}) =>
      openStore(`s3://${bucket}/mirror`, { s3: { endpoint, credentials, ...options } });
    return { bucket, store: open(), open };
  }

  test("files are copied without a byte of them passing through here, and are what they were", async () => {
    const from = await openBucket();
    const to = await openBucket();
    await putMirror(from.store, 1, { images: [first, second] });
    // What is at the target in another size is in the way of nothing.
    await to.store.write(archiveOf(first), Buffer.from("cut"));
    const read: string[] = [];
    const source = watchReads(from.store, read);
    const { options, notes } = watchEvents();
    const summary = await sync(source, watchCopies(to.store, from.store), options);
    expect(await contents(to.store)).toEqual(await contents(from.store));
    const ofVersions = (await keysOf(from.store)).filter((key) => /\/\d{8}\.\d\//.test(key));
    expect(summary).toMatchObject({
      copiedOnServer: { objects: ofVersions.length },
      images: [{ name: "debian-12", copiedOnServer: { objects: ofVersions.length } }],
    });
    expect(read.filter((key) => key.endsWith(".zst"))).toEqual([]);
    // Ceph says nothing of the SHA-256 of what it copies.
    expect(notes()).toEqual([expect.stringMatching(/^6 files were copied by the server.*metalcast verify/)]);
    const client = new S3Client({ endpoint, credentials, region: "us-east-1", forcePathStyle: true });
    const head = await client.send(new HeadObjectCommand({ Bucket: to.bucket, Key: `mirror/${archiveOf(second)}` }));
    expect(head.ContentType).toBe("application/zstd");
  });

  test("what lies on another server comes by way of this machine", async () => {
    const from = await openBucket();
    const to = await openBucket();
    await putMirror(from.store, 1, { images: [first] });
    const { options, notes } = watchEvents();
    const elsewhere = from.open({ endpoint: endpoint.replace("127.0.0.1", "localhost") });
    expect(await sync(elsewhere, to.store, options)).toMatchObject({ copiedOnServer: { objects: 0 } });
    expect(notes()).toEqual([]);
    expect(await contents(to.store)).toEqual(await contents(from.store));
  });
});

describe("a server that", () => {
  const newMirror = async () => {
    const from = new MemoryStore();
    await putMirror(from, 1, { images: [first] });
    return { from, to: new MemoryStore(), archive: await collect(from.read(archiveOf(first))) };
  };
  const copies = (from: Store, to: Store, says: (bytes: Buffer) => object): Partial<Store> => ({
    async copyFrom(_, { key }) {
      const bytes = await collect(from.read(key));
      return { ...(await to.write(key, bytes)), ...says(bytes) };
    },
  });

  test("says the SHA-256 of what it has copied needs no word of warning", async () => {
    const { from, to } = await newMirror();
    const { options, notes } = watchEvents();
    const saying = changedStore(
      to,
      copies(from, to, (bytes) => ({ sha256: sha256(bytes) })),
    );
    const summary = await sync(from, saying, options);
    expect(summary).toMatchObject({ copied: { objects: 9 }, copiedOnServer: { objects: 3 } });
    expect(describeSynced(summary)).toMatch(/copied 9 \(.*\), 3 \(.*\) of them by the server, there already/);
    expect(notes()).toEqual([]);
    expect(await readEverything(to)).toBe(1);
  });

  test("says another SHA-256 than is listed has copied what is damaged: it does not stay", async () => {
    const { from, to } = await newMirror();
    const { options } = watchEvents();
    const other = sha256(Buffer.from("other"));
    const saying = changedStore(
      to,
      copies(from, to, () => ({ sha256: other })),
    );
    const failure = { code: "file-hash-mismatch", kind: "integrity", data: { found: other } };
    await expect(sync(from, saying, options)).rejects.toMatchObject(failure);
    expect(await keysOf(to, "images/")).toEqual([]);
    expect(await readEverything(to)).toBe(0);
  });

  test("refuses is asked once, and people are told once", async () => {
    const { from, to } = await newMirror();
    const { options, notes } = watchEvents();
    let asked = 0;
    const refusing = changedStore(to, {
      async copyFrom() {
        asked += 1;
        throw new Failure({ code: "copy-refused", kind: "failed", message: "copying: it answers 403 AccessDenied" });
      },
    });
    expect(await sync(from, refusing, options)).toMatchObject({ copiedOnServer: { objects: 0, bytes: 0 } });
    // Files and manifests are copied one kind after the other, and files side by side.
    expect(asked).toBeLessThanOrEqual(2);
    expect(notes()).toEqual([expect.stringMatching(/403 AccessDenied; its bytes, and all others, come by way of/)]);
    expect(await contents(to)).toEqual(await contents(from));
  });

  test("finds another object than was listed ends in a new look at the source", async () => {
    const { from, to } = await newMirror();
    const { options } = watchEvents();
    const changed = changedStore(to, {
      async copyFrom() {
        throw new Failure({ code: "object-changed", kind: "failed", message: "copying: it has changed" });
      },
    });
    await expect(sync(from, changed, options)).rejects.toMatchObject({ code: "source-changed", kind: "integrity" });
    expect(await keysOf(to, "images/")).toEqual([]);
  });

  test("does not answer is asked again", async () => {
    const { from, to } = await newMirror();
    const { options } = watchEvents();
    const { copyFrom } = copies(from, to, () => ({}));
    let asked = 0;
    const flaky = changedStore(to, {
      async copyFrom(...args) {
        asked += 1;
        if (asked > 1) return copyFrom?.(...args);
        throw new Failure({ code: "store-unreachable", kind: "retry", message: "no answer" });
      },
    });
    expect(await sync(from, flaky, options)).toMatchObject({ copiedOnServer: { objects: 3 } });
  });

  test("copies what has another size than is listed is not asked: the source is at fault", async () => {
    const { from, to, archive } = await newMirror();
    const { options } = watchEvents();
    await from.write(archiveOf(first), archive.subarray(1));
    const copying = changedStore(
      to,
      copies(from, to, () => ({})),
    );
    await expect(sync(from, copying, options)).rejects.toMatchObject({ code: "file-size-mismatch" });
    expect(await keysOf(to)).not.toContain(archiveOf(first));
  });
});

function watchReads(store: Store, read: string[]): Store {
  return changedStore(store, {
    read(key, options) {
      read.push(key);
      return store.read(key, options);
    },
  });
}

/** Copies from the store that the watched one stands for. */
function watchCopies(to: Store, from: Store): Store {
  return changedStore(to, { copyFrom: async (_, object, options) => to.copyFrom?.(from, object, options) });
}
