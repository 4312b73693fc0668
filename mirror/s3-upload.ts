import { createHash } from "node:crypto";
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  ListPartsCommand,
  type ListPartsCommandOutput,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { asFailure, Failure } from "../common/failure.ts";
import { cutIntoParts } from "./cut-into-parts.ts";
import { release } from "./release.ts";
import { type S3Request, s3Failure } from "./s3-failure.ts";
import { findUploads } from "./s3-unfinished.ts";
import { sideBySide } from "./side-by-side.ts";

/** At S3's limit of 10,000 parts an object may have 156 GiB. */
export const defaultPartBytes = 16 * 2 ** 20;

/** So many are in memory, too. */
const partsAtOnce = 2;

export interface S3Upload {
  target: { Bucket: string; Key: string };
  body: AsyncIterable<Uint8Array>;
  partBytes: number;
  condition: { IfNoneMatch?: string; IfMatch?: string };
  contentType?: string | undefined;
  request: S3Request;
  /** Keys that another writer is at as well: uploads of them that are there are not gone on with, lest both go on so. */
  contested: Set<string>;
  signal?: AbortSignal | undefined;
}

/**
 * Uploads a body of any length. One of more than one part goes on with the unfinished upload of the same key that a
 * killed writer has left: parts whose MD5 is that of what would be sent are not sent again. Where that can't be known
 * (no right to look, entity tags that are no MD5) all is sent. The parts stay for the next writer where a failure of
 * kind `retry` or an interruption ends it, and are removed where another one does.
 * @returns the object's entity tag
 * @throws Failure `upload-lost` (retry) where another writer has ended the upload or replaced a part; what s3Failure
 *   makes of all else, and what the body throws
 */
export async function uploadBody(client: S3Client, upload: S3Upload): Promise<string> {
  const { target, condition, contentType, body, partBytes, signal } = upload;
  const parts = cutIntoParts(body, partBytes);
  try {
    const { value: first = new Uint8Array() } = await parts.next();
    const second = await parts.next();
    if (!second.done) return await uploadInParts(client, upload, chain([first, second.value], parts));
    const type = contentType === undefined ? {} : { ContentType: contentType };
    const put = new PutObjectCommand({ ...target, ...condition, ...type, Body: first });
    return (await client.send(put, abort(signal))).ETag ?? "";
  } finally {
    // Where the server has refused, there is more to come of what nobody reads any more.
    await parts.return();
  }
}

async function* chain(first: Uint8Array[], rest: AsyncGenerator<Uint8Array, void, undefined>) {
  let number = 0;
  for (const bytes of first) yield { number: ++number, bytes };
  for await (const bytes of rest) yield { number: ++number, bytes };
}

interface NumberedPart {
  /** From 1. */
  number: number;
  bytes: Uint8Array;
}

interface BegunUpload {
  id: string | undefined;
  /** What is there already, by number. */
  parts: ReadonlyMap<number, { sizeBytes: number; etag: string }>;
}

async function uploadInParts(client: S3Client, upload: S3Upload, parts: AsyncGenerator<NumberedPart>): Promise<string> {
  const { target, condition, request, contested, signal } = upload;
  const begun = (await findBegun(client, upload)) ?? (await begin(client, upload));
  const UploadId = begun.id;
  try {
    const completed: CompletedPart[] = [];
    await sideBySide(parts, { limit: partsAtOnce, ...(signal && { signal }) }, async ({ number, bytes }, ending) => {
      completed[number - 1] = {
        PartNumber: number,
        ETag: await sendPart(client, upload, begun, number, bytes, ending),
      };
      release(bytes);
    });
    const whole = { ...target, ...condition, UploadId, MultipartUpload: { Parts: completed } };
    return (await client.send(new CompleteMultipartUploadCommand(whole), abort(signal))).ETag ?? "";
  } catch (error) {
    const name = error instanceof Error ? error.name : "";
    if (lostNames.has(name)) {
      contested.add(target.Key);
      throw await uploadLost(client, upload, error);
    }
    const failure = signal?.aborted ? asFailure(signal.reason, request.doing) : s3Failure(error, request);
    const stays = failure.kind === "retry" || failure.kind === "interrupted";
    if (!stays || name === spoiledName) {
      // What ended the upload is what is told. Parts that can't be removed are left to a prune.
      await client.send(new AbortMultipartUploadCommand({ ...target, UploadId })).catch(() => undefined);
    }
    throw failure;
  }
}

/** It was completed or aborted, or a part of it was replaced. */
const lostNames = new Set(["NoSuchUpload", "InvalidPart"]);

/** Two writers completed an object at once: its parts are to be sent anew (CompleteMultipartUpload, "409 Conflict"). */
const spoiledName = "ConditionalRequestConflict";

/** @returns undefined where there is none, or nobody says so */
async function findBegun(client: S3Client, { target, contested, signal }: S3Upload): Promise<BegunUpload | undefined> {
  if (contested.has(target.Key)) return undefined;
  try {
    let newest: { id: string; startedAt: Date } | undefined;
    for await (const { key, id, startedAt } of findUploads(client, target.Bucket, target.Key, signal)) {
      if (key === target.Key && (!newest || startedAt >= newest.startedAt)) newest = { id, startedAt };
    }
    if (!newest) return undefined;
    const parts = await listParts(client, { ...target, UploadId: newest.id }, signal);
    return { id: newest.id, parts };
  } catch (error) {
    if (signal?.aborted) throw error;
    return undefined;
  }
}

/** By its own account of where it ends: some servers name a next part after the last (and paginateListParts asks on). */
async function listParts(
  client: S3Client,
  upload: { Bucket: string; Key: string; UploadId: string },
  signal: AbortSignal | undefined,
): Promise<BegunUpload["parts"]> {
  const parts = new Map<number, { sizeBytes: number; etag: string }>();
  for (let after = {}; ; ) {
    const page: ListPartsCommandOutput = await client.send(
      new ListPartsCommand({ ...upload, ...after }),
      abort(signal),
    );
    for (const { PartNumber = 0, Size = 0, ETag = "" } of page.Parts ?? []) {
      parts.set(PartNumber, { sizeBytes: Size, etag: ETag });
    }
    if (!page.IsTruncated) return parts;
    after = { PartNumberMarker: page.NextPartNumberMarker };
  }
}

async function begin(client: S3Client, { target, contentType, signal }: S3Upload): Promise<BegunUpload> {
  const type = contentType === undefined ? {} : { ContentType: contentType };
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ ...target, ...type }), abort(signal));
  return { id: UploadId, parts: new Map() };
}

/** @returns the part's entity tag */
async function sendPart(
  client: S3Client,
  { target }: S3Upload,
  { id, parts }: BegunUpload,
  number: number,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<string> {
  const there = parts.get(number);
  if (there?.sizeBytes === bytes.byteLength && there.etag.replaceAll('"', "") === md5Of(bytes)) return there.etag;
  const part = new UploadPartCommand({ ...target, UploadId: id, PartNumber: number, Body: bytes });
  return (await client.send(part, abort(signal))).ETag ?? "";
}

/** What S3 makes the entity tag of. Whoever could make two parts of one MD5 may write objects as well. */
function md5Of(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("hex");
}

async function uploadLost(
  client: S3Client,
  { target, condition, request, signal }: S3Upload,
  cause: unknown,
): Promise<Failure> {
  const { doing } = request;
  // By a writer who has completed it: this one, whose answer was lost, or another.
  const isThere = await client.send(new HeadObjectCommand(target), abort(signal)).catch(() => undefined);
  if (isThere && condition.IfNoneMatch !== undefined) {
    const message = `${doing}: there is such an object already`;
    return new Failure({ code: "object-exists", kind: "failed", message, cause });
  }
  return new Failure({
    code: "upload-lost",
    kind: "retry",
    message: `${doing}: another writer has ended the same upload, or replaced a part of it`,
    hint: "let one of the two writers come to its end, then run it again",
    cause,
  });
}

function abort(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}
