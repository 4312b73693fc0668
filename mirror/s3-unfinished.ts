import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  type S3Client,
} from "@aws-sdk/client-s3";
import type { UnfinishedWrite } from "./store.ts";

/**
 * Uploads in parts that have neither been completed nor aborted.
 * @param place the bucket, and the prefix of the store's keys
 */
export async function* listUploads(
  client: S3Client,
  { bucket, prefix }: { bucket: string; prefix: string },
  keyPrefix: string,
  signal?: AbortSignal,
): AsyncGenerator<UnfinishedWrite, void, undefined> {
  const options = signal ? { abortSignal: signal } : {};
  for (let after = {}; ; ) {
    const query = { Bucket: bucket, Prefix: prefix + keyPrefix, ...after };
    const page: ListMultipartUploadsCommandOutput = await client.send(new ListMultipartUploadsCommand(query), options);
    for (const { Key = "", UploadId, Initiated } of page.Uploads ?? []) {
      if (!Initiated) continue;
      const upload = { Bucket: bucket, Key, UploadId };
      yield {
        name: Key.slice(prefix.length),
        startedAt: Initiated,
        discard: async () => {
          await client.send(new AbortMultipartUploadCommand(upload), options);
        },
      };
    }
    if (!page.IsTruncated) return;
    after = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
  }
}
