import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  HeadObjectCommand,
  type S3Client,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3";
import { Failure } from "../common/failure.ts";
import { type S3Request, s3Failure, statusOf } from "./s3-failure.ts";
import type { CopiedObject, StoredObject } from "./store.ts";

/** What a server copies at once (CopyObject), in bytes. */
export const copyLimitBytes = 5 * 2 ** 30;

/** Of an object in parts: few enough of them for the largest object, short enough to be tried again. */
const mostPartBytes = 2 ** 30;

interface Place {
  Bucket: string;
  Key: string;
}

export interface S3Copy {
  source: Place;
  target: Place;
  /** What lies at the source: its key is the store's. */
  object: StoredObject;
  contentType?: string | undefined;
  /** Larger objects are copied in parts. */
  limitBytes: number;
  request: S3Request;
  signal?: AbortSignal | undefined;
}

/**
 * Has the server copy one object of its own, of which it is asked afterwards what it is: a server that overlooks that
 * it should copy writes an empty one. There is no condition on what lies at the target: some servers keep none here.
 * @throws Failure `copy-refused` (failed), `object-changed` where the source is another one by now, or gone; what
 *   s3Failure makes of all else
 */
export async function copyOnServer(client: S3Client, copy: S3Copy): Promise<CopiedObject> {
  const { target, object, request, signal } = copy;
  const options = signal ? { abortSignal: signal } : {};
  try {
    await (object.sizeBytes > copy.limitBytes ? copyInParts(client, copy) : copyWhole(client, copy));
    const head = await client.send(new HeadObjectCommand({ ...target, ChecksumMode: "ENABLED" }), options);
    const found = { key: object.key, sizeBytes: head.ContentLength ?? 0, etag: head.ETag ?? "" };
    if (found.sizeBytes !== object.sizeBytes)
      throw new NoCopy(`it makes ${found.sizeBytes} bytes of ${object.sizeBytes}`);
    // That of an object in parts is one of its parts' checksums (COMPOSITE).
    const says = head.ChecksumType === "FULL_OBJECT" ? head.ChecksumSHA256 : undefined;
    return { ...found, ...(says !== undefined && { sha256: Buffer.from(says, "base64").toString("hex") }) };
  } catch (error) {
    if (error instanceof NoCopy || isEmptyAnswer(error)) {
      await client.send(new DeleteObjectCommand(target), options);
      throw copyRefused(request, error.message, error);
    }
    throw asRefusal(error, request) ?? s3Failure(error, { ...request, ifMatch: object.etag });
  }
}

/** Something was written that is no copy. */
class NoCopy extends Error {}

/** What the SDK makes of the answer to a write, which is what a server gives that overlooks that it should copy. */
function isEmptyAnswer(error: unknown): error is Error {
  return error instanceof Error && error.name === "InternalError" && error.message === "S3 aborted request";
}

async function copyWhole(client: S3Client, { source, target, object, contentType, signal }: S3Copy): Promise<void> {
  const command = new CopyObjectCommand({
    ...target,
    ...copySource(source, object),
    // Where it is known, AWS reads what it copies for it; others overlook it, or copy what the source's writer said.
    ChecksumAlgorithm: "SHA256",
    ...(contentType !== undefined && { ContentType: contentType, MetadataDirective: "REPLACE" }),
  });
  await client.send(command, signal ? { abortSignal: signal } : {});
}

async function copyInParts(
  client: S3Client,
  { source, target, object, contentType, limitBytes, request, signal }: S3Copy,
): Promise<void> {
  const options = signal ? { abortSignal: signal } : {};
  const begin = new CreateMultipartUploadCommand({
    ...target,
    ...(contentType !== undefined && { ContentType: contentType }),
  });
  const { UploadId } = await client.send(begin, options);
  const upload = { ...target, UploadId };
  try {
    const parts: CompletedPart[] = [];
    const partBytes = Math.min(limitBytes, mostPartBytes);
    for (let start = 0; start < object.sizeBytes; start += partBytes) {
      const end = Math.min(start + partBytes, object.sizeBytes);
      const part = new UploadPartCopyCommand({
        ...upload,
        ...copySource(source, object),
        CopySourceRange: `bytes=${start}-${end - 1}`,
        PartNumber: parts.length + 1,
      });
      const { CopyPartResult } = await client.send(part, options);
      parts.push({ PartNumber: parts.length + 1, ETag: CopyPartResult?.ETag });
    }
    // Ceph's gateway overlooks the condition on a part's source.
    const { ETag } = await client.send(new HeadObjectCommand({ ...source, IfMatch: object.etag }), options);
    if (ETag !== object.etag) throw sourceReplaced(request);
    await client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts: parts } }), options);
  } catch (error) {
    // What ended the copy is what is told. Parts that can't be removed are left to a prune.
    await client.send(new AbortMultipartUploadCommand(upload)).catch(() => undefined);
    throw error;
  }
}

/** As in a URL (Amazon S3 API Reference, CopyObject, x-amz-copy-source): some servers take a plus for a space. */
function copySource({ Bucket, Key }: Place, { etag }: StoredObject) {
  const path = [Bucket, ...Key.split("/")].map(encodeURIComponent).join("/");
  return { CopySource: path, CopySourceIfMatch: etag };
}

/** Statuses by which servers say that they know no copies, or none of this kind, or not for these credentials. */
const refusals = new Set([400, 403, 405, 501]);

function asRefusal(error: unknown, request: S3Request): Failure | undefined {
  if (error instanceof Failure || !(error instanceof Error)) return undefined;
  const status = statusOf(error);
  // Of a bucket that these credentials, or this region, can't see.
  if (error.name !== "NoSuchBucket" && !(status !== undefined && refusals.has(status))) return undefined;
  return copyRefused(request, `it answers ${status} ${error.name}`, error);
}

function sourceReplaced({ doing }: S3Request): Failure {
  return new Failure({ code: "object-changed", kind: "failed", message: `${doing}: the source has been replaced` });
}

function copyRefused({ doing, endpoint }: S3Request, reason: string, cause?: Error): Failure {
  return new Failure({
    code: "copy-refused",
    kind: "failed",
    message: `${doing}: ${endpoint} does not copy it by itself: ${reason}`,
    cause,
  });
}
