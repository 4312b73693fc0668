import { Readable } from "node:stream";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { asFailure, Failure } from "../common/failure.ts";
import { CountedBody } from "./counted-body.ts";
import { downloadCut, exactBytes, expectRange } from "./exact-bytes.ts";
import { checkKey, checkPrefix } from "./key.ts";
import { type S3Request, s3Failure } from "./s3-failure.ts";
import type { ReadOptions, Store, StoredObject, WriteOptions } from "./store.ts";

export interface S3Options {
  /** Default: AWS_ENDPOINT_URL_S3, then AWS_ENDPOINT_URL, then AWS itself. */
  endpoint?: string;
  /** Default: the AWS chain (AWS_REGION, profile), then us-east-1. */
  region?: string;
  /** Default: the AWS chain (environment, profile, web identity, container, instance). */
  credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
  /** Default: path style where there is an endpoint, virtual-host style at AWS. */
  pathStyle?: boolean;
}

/** At S3's limit of 10,000 parts an object may have 156 GiB; two parts are in memory at a time. */
const partBytes = 16 * 2 ** 20;

/** Any server that speaks S3. */
export class S3Store implements Store {
  readonly url: string;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #endpoint: string;
  readonly #client: S3Client;
  #bucketSeen = false;

  /** @param location the bucket, and the prefix of all keys: "" or a path that ends in a slash */
  constructor({ bucket, prefix }: { bucket: string; prefix: string }, options: S3Options = {}) {
    this.url = `s3://${bucket}${prefix && `/${prefix.slice(0, -1)}`}`;
    this.#bucket = bucket;
    this.#prefix = prefix;
    const endpoint = options.endpoint ?? process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL;
    this.#endpoint = endpoint ?? "AWS S3";
    this.#client = new S3Client({
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
      region: options.region ?? regionOfChain,
      forcePathStyle: options.pathStyle ?? endpoint !== undefined,
      // The default CRC32 trailers break several servers; every byte that counts is checked against a SHA-256 of ours.
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
      maxAttempts: 4,
      requestHandler: { connectionTimeout: 10_000, socketTimeout: 60_000 },
    });
  }

  async stat(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    const request = this.#request("looking up", key);
    try {
      const head = await this.#client.send(new HeadObjectCommand(this.#at(key)), abort(signal));
      return { key, sizeBytes: head.ContentLength ?? 0, etag: head.ETag ?? "" };
    } catch (error) {
      const failure = s3Failure(error, request);
      if (failure.code !== "object-missing") throw failure;
      await this.#expectBucket(request, signal);
      return undefined;
    }
  }

  async *read(key: string, { range, ifMatch, signal }: ReadOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
    const request = { ...this.#request("reading", key), ifMatch };
    const { doing } = request;
    const get = new GetObjectCommand({
      ...this.#at(key),
      ...(ifMatch === undefined ? {} : { IfMatch: ifMatch }),
      ...(range === undefined ? {} : { Range: `bytes=${range.start}-${range.end - 1}` }),
    });
    const answer = await this.#client.send(get, abort(signal)).catch((error: unknown) => {
      throw s3Failure(error, request);
    });
    const body = answer.Body;
    if (!(body instanceof Readable)) throw downloadCut(doing, {});
    try {
      if (range) expectRange(answer.ContentRange, range, doing);
      const sizeBytes = range ? range.end - range.start : (answer.ContentLength ?? 0);
      yield* exactBytes(body, { sizeBytes, doing });
    } catch (error) {
      if (error instanceof Failure) throw error;
      if (signal?.aborted) throw asFailure(signal.reason, doing);
      throw downloadCut(doing, {}, error);
    } finally {
      body.destroy();
    }
  }

  async write(
    key: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    { ifAbsent, ifMatch, contentType, signal }: WriteOptions = {},
  ): Promise<StoredObject> {
    const request = { ...this.#request("writing", key), ifAbsent, ifMatch };
    const target = {
      ...this.#at(key),
      ...(ifAbsent ? { IfNoneMatch: "*" } : {}),
      ...(ifMatch === undefined ? {} : { IfMatch: ifMatch }),
      ...(contentType === undefined ? {} : { ContentType: contentType }),
    };
    try {
      if (body instanceof Uint8Array) {
        const put = await this.#client.send(new PutObjectCommand({ ...target, Body: body }), abort(signal));
        return { key, sizeBytes: body.byteLength, etag: put.ETag ?? "" };
      }
      const counted = new CountedBody(body, signal);
      const params = { ...target, Body: Readable.from(counted, { objectMode: false }) };
      // Ended by the body, not by Upload's own abort: that one returns before the parts are removed.
      const put = await new Upload({ client: this.#client, params, partSize: partBytes, queueSize: 2 }).done();
      return { key, sizeBytes: counted.sizeBytes, etag: put.ETag ?? "" };
    } catch (error) {
      throw s3Failure(error, request);
    }
  }

  async *list(prefix: string, signal?: AbortSignal): AsyncGenerator<StoredObject, void, undefined> {
    checkPrefix(prefix);
    const request = { doing: `listing ${this.url}/${prefix}`, endpoint: this.#endpoint };
    try {
      const query = { Bucket: this.#bucket, Prefix: this.#prefix + prefix };
      for await (const page of paginateListObjectsV2({ client: this.#client }, query, abort(signal))) {
        for (const { Key, Size, ETag } of page.Contents ?? []) {
          yield { key: (Key ?? "").slice(this.#prefix.length), sizeBytes: Size ?? 0, etag: ETag ?? "" };
        }
      }
    } catch (error) {
      throw s3Failure(error, request);
    }
  }

  async remove(key: string, signal?: AbortSignal): Promise<void> {
    const request = this.#request("removing", key);
    await this.#client.send(new DeleteObjectCommand(this.#at(key)), abort(signal)).catch((error: unknown) => {
      const failure = s3Failure(error, request);
      if (failure.code !== "object-missing") throw failure;
    });
  }

  #at(key: string): { Bucket: string; Key: string } {
    checkKey(key);
    return { Bucket: this.#bucket, Key: this.#prefix + key };
  }

  #request(verb: string, key: string): S3Request {
    return { doing: `${verb} ${this.url}/${key}`, endpoint: this.#endpoint };
  }

  /** The answer to HEAD has no body, so that a missing bucket looks like a missing object. */
  async #expectBucket(request: S3Request, signal?: AbortSignal): Promise<void> {
    if (this.#bucketSeen) return;
    await this.#client.send(new HeadBucketCommand({ Bucket: this.#bucket }), abort(signal)).catch((error: unknown) => {
      const failure = s3Failure(error, { ...request, ofBucket: true });
      // Rights on the objects alone are enough: a bucket that denies a look is there.
      if (failure.code !== "store-denied") throw failure;
    });
    this.#bucketSeen = true;
  }
}

/** What the AWS chain says; servers other than AWS rarely care, and us-east-1 is what they expect then. */
async function regionOfChain(): Promise<string> {
  return new S3Client({}).config.region().catch(() => "us-east-1");
}

function abort(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}
