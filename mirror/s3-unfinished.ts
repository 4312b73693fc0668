import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  type S3Client,
} from "@aws-sdk/client-s3";
import type { UnfinishedWrite } from "./store.ts";

/** An upload in parts that has neither been completed nor aborted. */
interface BegunUpload {
  key: string;
  id: string;
  startedAt: Date;
}

/** @param prefix of the keys in the bucket */
export async function* findUploads(
  client: S3Client,
  bucket: string,
  prefix: string,
  signal?: AbortSignal,
): AsyncGenerator<BegunUpload, void, undefined> {
  for (let after = {}; ; ) {
    const query = { Bucket: bucket, Prefix: prefix, ...after };
    const page: ListMultipartUploadsCommandOutput = await client.send(
      new ListMultipartUploadsCommand(query),
      signal ? { abortSignal: signal } : {},
    );
    for (const { Key = "", UploadId, Initiated } of page.Uploads ?? []) {
      if (Initiated && UploadId !== undefined) yield { key: Key, id: UploadId, startedAt: Initiated };
    }
    if (!page.IsTruncated) return;
    after = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
  }
}

/**
 * Unfinished uploads, as a store tells of them.
 * @param place the bucket, and the prefix of the store's keys
 */
export async function* listUploads(
  client: S3Client,
  { bucket, prefix }: { bucket: string; prefix: string },
  keyPrefix: string,
  signal?: AbortSignal,
): AsyncGenerator<UnfinishedWrite, void, undefined> {
  for await (const { key, id, startedAt } of findUploads(client, bucket, prefix + keyPrefix, signal)) {
    const upload = { Bucket: bucket, Key: key, UploadId: id };
    yield {
      name: key.slice(prefix.length),
      startedAt,
      discard: async () => {
        await client.send(new AbortMultipartUploadCommand(upload), signal ? { abortSignal: signal } : {});
      },
    };
  }
}
