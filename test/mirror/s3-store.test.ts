import { ListMultipartUploadsCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, expect, test } from "vitest";
import { openStore } from "../../mirror/open-store.ts";
import { S3Store } from "../../mirror/s3-store.ts";
import { startCephS3 } from "../lab/ceph-s3.ts";
import { gather } from "./gather.ts";
import { testStoreContract } from "./store-contract.ts";

const server = await startCephS3();
afterAll(() => server[Symbol.asyncDispose]());
const { endpoint, credentials } = server;

testStoreContract(
  async () => openStore(`s3://${await server.createBucket()}/mirror`, { s3: { endpoint, credentials } }),
  async () => new S3Store({ bucket: "missing", prefix: "" }, { endpoint, credentials }),
);

test("no parts are left of an upload that failed", async () => {
  const bucket = await server.createBucket();
  const store = new S3Store({ bucket, prefix: "" }, { endpoint, credentials });
  const client = new S3Client({ endpoint, credentials, region: "us-east-1", forcePathStyle: true });
  async function* failing() {
    for (let index = 0; index < 40; index += 1) yield Buffer.alloc(2 ** 20);
    const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
    expect(Uploads).toHaveLength(1);
    throw new Error("the disk caught fire");
  }
  await expect(store.write("object", failing())).rejects.toThrow("the disk caught fire");
  const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
  expect(Uploads ?? []).toEqual([]);
});

test.each([
  ["a wrong secret", { ...credentials, secretAccessKey: "wrong" }],
  ["an unknown key", { accessKeyId: "nobody", secretAccessKey: "wrong" }],
])("%s is refused by name, and not in the message", async (_, wrong) => {
  const bucket = await server.createBucket();
  const store = new S3Store({ bucket, prefix: "" }, { endpoint, credentials: wrong });
  const denied = { code: "store-denied", kind: "configuration", message: expect.not.stringContaining("wrong") };
  await expect(store.stat("object")).rejects.toMatchObject(denied);
  await expect(gather(store.read("object"))).rejects.toMatchObject(denied);
  await expect(store.write("object", Buffer.from("x"))).rejects.toMatchObject(denied);
  await expect(gather(store.list(""))).rejects.toMatchObject(denied);
  await expect(store.remove("object")).rejects.toMatchObject(denied);
});
