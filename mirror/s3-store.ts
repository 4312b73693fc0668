import { Readable } from "node:stream";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  type S3Client,
} from "@aws-sdk/client-s3";
import { asFailure, Failure } from "../common/failure.ts";
import { CountedBody } from "./counted-body.ts";
import { downloadCut, exactBytes, expectRange } from "./exact-bytes.ts";
import { writeGuarded } from "./guarded-write.ts";
import { checkKey, checkPrefix, isPrivateKey } from "./key.ts";
import { defaultStallMs, makeS3Client } from "./s3-client.ts";
import { keepsConditions } from "./s3-conditions.ts";
import { copyLimitBytes, copyOnServer } from "./s3-copy.ts";
import { type S3Request, s3Failure } from "./s3-failure.ts";
import { listUploads } from "./s3-unfinished.ts";
import { defaultPartBytes, uploadBody } from "./s3-upload.ts";
import type {
  CopiedObject,
  CopyFromOptions,
  ReadOptions,
  Store,
  StoredObject,
  UnfinishedWrite,
  WriteOptions,
} from "./store.ts";
import { withoutTrickle } from "./trickle.ts";

interface S3Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
  /** When they expire: others are asked for before. */
  expiration?: Date;
}

export interface S3Options {
  /** `https://s3.example.net`. Default: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS's configuration file, AWS itself. */
  endpoint?: string;
  /** Default: the AWS chain (AWS_REGION, profile), then us-east-1. */
  region?: string;
  /**
   * Default: the AWS chain (environment, profile, web identity, container, instance). A function is asked again before
   * what it gave expires, and when the server says that it has.
   */
  credentials?: S3Credentials | (() => Promise<S3Credentials>);
  /**
   * Buckets are in the path of URLs, not in their host. Default: `addressing_style` in AWS's configuration file; where
   * there is none, or it says `auto`, path style where there is an endpoint, virtual-host style at AWS.
   */
  pathStyle?: boolean;
  /**
   * Nothing coming for so long, or next to nothing, breaks a connection off, so that it can be tried again. Default: a
   * minute.
   */
  stallMs?: number;
  /**
   * Where the server keeps no conditions of writes: how long another writer's request may be on its way, and so how
   * long this one waits for it. Default: 2 s.
   */
  settleMs?: number;
  /** Of what is uploaded in parts, two of which are in memory at a time. S3 takes 5 MiB or more. Default: 16 MiB. */
  partBytes?: number;
  /** Larger objects are copied in parts where the server copies. Default: 5 GiB, which is what S3 copies at once. */
  copyLimitBytes?: number;
  /** Told once what is not as it should be, such as a server that keeps no conditions. */
  onWarning?: (text: string) => void;
}

/** Of what is no object: keys of the store can't begin with a dot. */
const privatePrefix = ".metalcast/";

/** Any server that speaks S3. */
export class S3Store implements Store {
  readonly url: string;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #endpoint: string;
  readonly #client: S3Client;
  readonly #options: S3Options;
  readonly #contestedKeys = new Set<string>();
  #bucketSeen = false;
  #keepsConditions: Promise<boolean> | undefined;

  /**
   * @param location the bucket, and the prefix of all keys: "" or a path that ends in a slash
   * @param options  with the server that `readS3Environment` tells of, if any
   * @param client shared with another store of the same options
   */
  constructor({ bucket, prefix }: { bucket: string; prefix: string }, options: S3Options = {}, client?: S3Client) {
    this.url = `s3://${bucket}${prefix && `/${prefix.slice(0, -1)}`}`;
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.#endpoint = options.endpoint ?? "AWS S3";
    this.#options = options;
    this.#client = client ?? makeS3Client(options);
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
      yield* exactBytes(withoutTrickle(body, this.#options.stallMs ?? defaultStallMs), { sizeBytes, doing });
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
    options: WriteOptions = {},
  ): Promise<StoredObject> {
    checkKey(key);
    const { ifAbsent, ifMatch, signal } = options;
    const isConditional = ifAbsent || ifMatch !== undefined;
    if (!isConditional || (await this.#expectConditions(signal))) return this.#write(key, body, options);
    const locks = this.#open(`${privatePrefix}locks/`);
    return writeGuarded({ store: this, locks, settleMs: this.#options.settleMs ?? 2000 }, key, body, options);
  }

  async #write(
    key: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    { ifAbsent, ifMatch, contentType, signal }: WriteOptions,
  ): Promise<StoredObject> {
    const request = { ...this.#request("writing", key), ifAbsent, ifMatch };
    const condition = {
      ...(ifAbsent ? { IfNoneMatch: "*" } : {}),
      ...(ifMatch === undefined ? {} : { IfMatch: ifMatch }),
    };
    const target = this.#at(key);
    try {
      if (body instanceof Uint8Array) {
        const type = contentType === undefined ? {} : { ContentType: contentType };
        const command = new PutObjectCommand({ ...target, ...condition, ...type, Body: body });
        const put = await this.#client.send(command, abort(signal));
        return { key, sizeBytes: body.byteLength, etag: put.ETag ?? "" };
      }
      const counted = new CountedBody(body, signal);
      const { partBytes = defaultPartBytes } = this.#options;
      const contested = this.#contestedKeys;
      const upload = { target, body: counted, partBytes, condition, contentType, request, contested, signal };
      const etag = await uploadBody(this.#client, upload);
      return { key, sizeBytes: counted.sizeBytes, etag };
    } catch (error) {
      throw s3Failure(error, request);
    }
  }

  async *list(prefix: string, signal?: AbortSignal): AsyncGenerator<StoredObject, void, undefined> {
    checkPrefix(prefix);
    const request = this.#request("listing", prefix);
    try {
      const query = { Bucket: this.#bucket, Prefix: this.#prefix + prefix };
      for await (const page of paginateListObjectsV2({ client: this.#client }, query, abort(signal))) {
        for (const { Key, Size, ETag } of page.Contents ?? []) {
          const key = (Key ?? "").slice(this.#prefix.length);
          if (!isPrivateKey(key)) yield { key, sizeBytes: Size ?? 0, etag: ETag ?? "" };
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

  async *listUnfinished(prefix: string, signal?: AbortSignal): AsyncGenerator<UnfinishedWrite, void, undefined> {
    const request = this.#request("listing unfinished uploads of", prefix);
    const fail = (error: unknown) => {
      throw s3Failure(error, request);
    };
    const place = { bucket: this.#bucket, prefix: this.#prefix };
    try {
      for await (const upload of listUploads(this.#client, place, prefix, signal)) {
        yield { ...upload, discard: () => upload.discard().catch(fail) };
      }
    } catch (error) {
      fail(error);
    }
  }

  /** With this store's credentials, which have to be good for reading there. */
  async copyFrom(
    from: Store,
    object: StoredObject,
    { contentType, signal }: CopyFromOptions = {},
  ): Promise<CopiedObject | undefined> {
    if (!(from instanceof S3Store) || from.#endpoint !== this.#endpoint) return undefined;
    const { key } = object;
    const limitBytes = this.#options.copyLimitBytes ?? copyLimitBytes;
    const places = { source: from.#at(key), target: this.#at(key) };
    const request = this.#request("copying", key);
    return copyOnServer(this.#client, { ...places, object, contentType, limitBytes, request, signal });
  }

  #at(key: string): { Bucket: string; Key: string } {
    checkKey(key);
    return { Bucket: this.#bucket, Key: this.#prefix + key };
  }

  #request(verb: string, key: string): S3Request {
    const place = { endpoint: this.#endpoint, bucket: this.#bucket, prefix: this.#prefix };
    return { doing: `${verb} ${this.url}/${key}`, ...place };
  }

  #open(prefix: string): S3Store {
    return new S3Store({ bucket: this.#bucket, prefix: this.#prefix + prefix }, this.#options, this.#client);
  }

  /** Asked once, before the first write on condition. */
  async #expectConditions(signal?: AbortSignal): Promise<boolean> {
    this.#keepsConditions ??= this.#findConditions(signal).catch((error: unknown) => {
      this.#keepsConditions = undefined;
      throw error;
    });
    return this.#keepsConditions;
  }

  async #findConditions(signal?: AbortSignal): Promise<boolean> {
    const key = `${privatePrefix}conditions`;
    const target = { Bucket: this.#bucket, Key: this.#prefix + key };
    const kept = await keepsConditions(this.#client, target, signal).catch((error: unknown) => {
      throw s3Failure(error, this.#request("writing", key));
    });
    if (!kept) this.#options.onWarning?.(conditionsWarning(this.#endpoint));
    return kept;
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

function conditionsWarning(endpoint: string): string {
  const what = `${endpoint} keeps no conditions of writes (If-None-Match, If-Match)`;
  return `${what}: locks stand in for them, which is slower, and guards two publishers at once less well`;
}

function abort(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}
