import { PutBucketPolicyCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, describe, expect, test } from "vitest";
import { openStore } from "../../../mirror/open-store.ts";
import { promote } from "../../../mirror/promote.ts";
import { prune } from "../../../mirror/prune.ts";
import { publish } from "../../../mirror/publish.ts";
import type { Store } from "../../../mirror/store.ts";
import { sync } from "../../../mirror/sync/sync.ts";
import { signWith } from "../../../mirror/trust/open-mirror.ts";
import { refreshMirror } from "../../../mirror/trust/refresh.ts";
import { verify } from "../../../mirror/verify/verify.ts";
import { fileDirectory } from "../../file-directory.ts";
import { startCephS3 } from "../../lab/ceph-s3.ts";
import { collect, gather } from "../gather.ts";
import { makeSampleImage, temporaryDirectory, writeSampleImage } from "../sample-image.ts";
import { newMirror } from "../trust/new-mirror.ts";

/** A second user of a real server, who has what a bucket's policy gives. */
const server = await startCephS3();
afterAll(() => server[Symbol.asyncDispose]());
const { endpoint, credentials } = server;
const guest = await server.createUser("guest");
const owner = new S3Client({ endpoint, credentials, region: "us-east-1", forcePathStyle: true });
const partBytes = 5 * 2 ** 20;
const emit = () => undefined;

interface Rights {
  allow: readonly string[];
  deny?: readonly string[];
}

/** A new bucket. @returns it as its owner and as the guest see it */
async function openBucket(rights: Rights) {
  const bucket = await server.createBucket();
  const give = async ({ allow, deny = [] }: Rights) => {
    const statement = (effect: string, user: string, actions: readonly string[]) => ({
      Effect: effect,
      Principal: { AWS: [`arn:aws:iam:::user/${user}`] },
      Action: actions,
      Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/mirror/*`],
    });
    // What the guest has written is the guest's, and the bucket's owner may not read it as a matter of course.
    const statements = [statement("Allow", "guest", allow), statement("Allow", "metalcast", ["s3:*"])];
    if (deny.length > 0) statements.push(statement("Deny", "guest", deny));
    const policy = JSON.stringify({ Version: "2012-10-17", Statement: statements });
    await owner.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy: policy }));
  };
  await give(rights);
  const open = (user: typeof guest) =>
    openStore(`s3://${bucket}/mirror`, { s3: { endpoint, credentials: user, partBytes } });
  return { bucket, give, store: open(credentials), guests: open(guest) };
}

/** Two parts, the second of which is short. */
async function* large() {
  for (let index = 0; index < 6; index += 1) yield Buffer.alloc(2 ** 20, index);
}

async function* failing() {
  yield* large();
  yield* large();
  throw new Error("the disk caught fire");
}

const unfinished = (store: Store) => gather(store.listUnfinished?.("") ?? []);

describe("a right that is missing is told by its name", () => {
  test.each<[string, string, (store: Store) => Promise<unknown>]>([
    ["s3:PutObject", "PutObject", (store) => store.write("new", Buffer.from("x"))],
    ["s3:PutObject", "CreateMultipartUpload", (store) => store.write("new", large())],
    ["s3:GetObject", "GetObject", (store) => collect(store.read("there"))],
    ["s3:GetObject", "HeadObject", (store) => store.stat("there")],
    ["s3:ListBucket", "ListObjectsV2", (store) => gather(store.list(""))],
    ["s3:DeleteObject", "DeleteObject", (store) => store.remove("there")],
    ["s3:ListBucketMultipartUploads", "ListMultipartUploads", unfinished],
  ])("%s, at %s", async (right, action, work) => {
    const { store, guests } = await openBucket({ allow: ["s3:*"], deny: [right] });
    await store.write("there", Buffer.from("before"));
    await expect(work(guests)).rejects.toMatchObject({
      code: "store-denied",
      kind: "configuration",
      message: expect.stringContaining(`${endpoint} does not allow ${action}`),
      hint: expect.stringContaining(`${right} on arn:aws:s3:::`),
    });
    expect((await gather(store.list(""))).map(({ key }) => key)).toEqual(["there"]);
    expect((await collect(store.read("there"))).toString()).toBe("before");
    expect(await unfinished(store)).toEqual([]);
  });

  test("s3:AbortMultipartUpload: what is told is why the upload failed, and its parts stay for a prune", async () => {
    const { store, guests } = await openBucket({ allow: ["s3:*"], deny: ["s3:AbortMultipartUpload"] });
    await expect(guests.write("new", failing())).rejects.toThrow("the disk caught fire");
    const [left] = await unfinished(guests);
    await expect(left?.discard()).rejects.toMatchObject({
      code: "store-denied",
      hint: expect.stringContaining("s3:AbortMultipartUpload on arn:aws:s3:::"),
    });
    expect(await unfinished(store)).toHaveLength(1);
  });

  test.each(["s3:ListBucketMultipartUploads", "s3:ListMultipartUploadParts"])(
    "%s: an upload is begun anew, and whole",
    async (right) => {
      const { store, guests } = await openBucket({ allow: ["s3:*"], deny: [right] });
      await guests.write("new", large());
      expect(await store.stat("new")).toMatchObject({ sizeBytes: 6 * 2 ** 20 });
    },
  );
});

describe("the rights that are documented are enough", () => {
  const reading = ["s3:GetObject", "s3:ListBucket"];
  const publishing = [...reading, "s3:PutObject", "s3:AbortMultipartUpload"];
  const pruning = [...publishing, "s3:DeleteObject", "s3:ListBucketMultipartUploads"];
  const arch = "amd64";

  async function publishVersion(mirror: Store, version: string): Promise<void> {
    await using directory = await temporaryDirectory();
    await writeSampleImage(directory.path, makeSampleImage({ version, frameSizes: [[700], [5000], [700]] }));
    await publish(mirror, directory.path, { emit, channel: "candidate" });
  }

  test("each verb works with its own, and without them changes nothing", { timeout: 300_000 }, async () => {
    const { store, guests, give } = await openBucket({ allow: reading });
    const { ring, root, mirror } = await newMirror(store, { directory: fileDirectory, images: ["debian-12"] });
    const guestsMirror = await signWith(ring, guests);
    const isWhole = async () => (await verify(guests, { root, emit })).ok;
    await publishVersion(mirror, "20261121.0");
    expect(await isWhole()).toBe(true);

    const denied = { code: "store-denied", kind: "configuration" };
    await expect(publishVersion(guestsMirror, "20261122.0")).rejects.toMatchObject(denied);
    await expect(promote(guestsMirror, "debian-12:candidate", { arch })).rejects.toMatchObject(denied);
    expect(await isWhole()).toBe(true);

    await give({ allow: publishing });
    await publishVersion(guestsMirror, "20261122.0");
    await promote(guestsMirror, "debian-12:candidate", { arch });
    const pruneAll = () => prune(guestsMirror, { keep: 1, graceMs: 0, emit });
    await expect(pruneAll()).rejects.toMatchObject(denied);
    expect(await isWhole()).toBe(true);

    await give({ allow: pruning });
    expect(await pruneAll()).toMatchObject([{ version: "20261121.0", action: "remove" }]);
    await refreshMirror(guests, ring);
    expect(await isWhole()).toBe(true);
  });

  test("a sync reads with the least of them, and writes with the others", { timeout: 300_000 }, async () => {
    const from = await openBucket({ allow: reading });
    const { root, mirror } = await newMirror(from.store, { directory: fileDirectory, images: ["debian-12"] });
    await publishVersion(mirror, "20261121.0");
    const to = await openBucket({ allow: reading });
    await expect(sync(from.guests, to.guests, { emit })).rejects.toMatchObject({ code: "store-denied" });
    expect(await gather(to.store.list(""))).toEqual([]);
    await to.give({ allow: pruning });
    await sync(from.guests, to.guests, { emit, delete: true });
    expect(await verify(to.store, { root, emit })).toMatchObject({ ok: true });
    expect((await gather(to.store.list("locks/"))).map(({ key }) => key)).toEqual([]);
  });
});
