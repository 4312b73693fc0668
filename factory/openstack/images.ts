import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { asFailure, Failure } from "../../common/failure.ts";
import { answerFailure, unreachable } from "./exchange.ts";
import type { CloudSession } from "./session.ts";

const imageSchema = z.looseObject({
  id: z.uuid(),
  name: z.string().nullish(),
  status: z.string(),
  size: z.number().int().nonnegative().nullish(),
  disk_format: z.string().nullish(),
  os_hash_algo: z.string().nullish(),
  os_hash_value: z.string().nullish(),
});

/** An image as Glance describes it (Image service API v2, "Show image"). */
export type CloudImage = z.infer<typeof imageSchema>;

/** How long Glance may take to make an image's bytes its own. */
const activationLimitMs = 60 * 60_000;

export interface TransferOptions {
  signal?: AbortSignal;
  /** Called with the bytes that have moved since the last call. */
  advance?: (bytes: number) => void;
}

/**
 * Creates an image of the name and gives it the file's bytes, hashed while they move.
 * @param created told the identifier before any byte is sent, for the tidying up
 * @throws Failure `cloud-hash-mismatch` (integrity) where Glance has other bytes than were sent; as `exchange` does
 */
export async function uploadImage(
  session: CloudSession,
  file: { path: string; format: "raw" | "qcow2"; name: string },
  created: (id: string) => void,
  { signal, advance }: TransferOptions = {},
): Promise<CloudImage> {
  const doing = `uploading ${file.path} to the cloud`;
  const interruptible = signal ? { signal } : {};
  const { body } = await session.exchange(doing, "image", "/images", {
    method: "POST",
    json: { name: file.name, disk_format: file.format, container_format: "bare", visibility: "private" },
    expect: [201],
    schema: imageSchema,
    ...interruptible,
  });
  created(body.id);
  const hash = new HashingStream("sha512", advance);
  const source = createReadStream(file.path, { highWaterMark: 2 ** 20 });
  const flow = pipeline(source, hash, interruptible);
  const [sent, read] = await Promise.allSettled([
    session.request(doing, "image", `/images/${body.id}/file`, {
      method: "PUT",
      headers: { "content-type": "application/octet-stream" },
      stream: Readable.toWeb(hash),
      isTransfer: true,
      expect: [204],
      ...interruptible,
    }),
    flow,
  ]);
  if (sent.status === "rejected") throw sent.reason;
  if (read.status === "rejected") throw asFailure(read.reason, doing);
  const image = await waitForImage(session, body.id, doing, signal);
  hash.verify(image, doing);
  return image;
}

/** @returns the image once it may be used @throws Failure `cloud-answer` where it never will be */
async function waitForImage(
  session: CloudSession,
  id: string,
  doing: string,
  signal?: AbortSignal,
): Promise<CloudImage> {
  const deadline = performance.now() + activationLimitMs;
  for (;;) {
    const { body } = await session.exchange(doing, "image", `/images/${id}`, {
      expect: [200],
      schema: imageSchema,
      ...(signal && { signal }),
    });
    if (body.status === "active") return body;
    // "Image Statuses": none of these leads to `active`.
    if (["killed", "deleted", "pending_delete", "deactivated"].includes(body.status)) {
      throw answerFailure(doing, `the image ${id} became ${body.status}`);
    }
    if (performance.now() > deadline) throw answerFailure(doing, `the image ${id} is still ${body.status}`);
    await pause(1000, undefined, signal && { signal }).catch((error: unknown) => {
      throw asFailure(error, doing);
    });
  }
}

/** The images of exactly this name. */
export async function findImages(session: CloudSession, name: string, signal?: AbortSignal): Promise<CloudImage[]> {
  const { body } = await session.exchange(`looking for the image ${name}`, "image", `/images?${query({ name })}`, {
    expect: [200],
    schema: z.looseObject({ images: z.array(imageSchema) }),
    ...(signal && { signal }),
  });
  return body.images.filter((image) => image.name === name);
}

/**
 * Takes an image's bytes to a file, hashed while they move.
 * @throws Failure `cloud-hash-mismatch` (integrity) where they are not what Glance says it has; as `exchange` does
 */
export async function downloadImage(
  session: CloudSession,
  image: CloudImage,
  destination: string,
  { signal, advance }: TransferOptions = {},
): Promise<void> {
  const doing = `downloading the image ${image.id}`;
  const response = await session.request(doing, "image", `/images/${image.id}/file`, {
    headers: { accept: "application/octet-stream" },
    expect: [200],
    isTransfer: true,
    ...(signal && { signal }),
  });
  if (response.body === null) throw answerFailure(doing, "its answer has no bytes");
  if (typeof image.size !== "number") throw answerFailure(doing, "the cloud does not say how large it is");
  const algorithm = image.os_hash_algo === "sha256" ? "sha256" : "sha512";
  const hash = new HashingStream(algorithm, advance, image.size);
  try {
    await pipeline(Readable.fromWeb(response.body), hash, createWriteStream(destination), signal ? { signal } : {});
  } catch (error) {
    throw unreachable(doing, response.url, error, signal);
  }
  hash.verify(image, doing);
}

/** An image that is not there is a deleted one, too. */
export async function deleteImage(session: CloudSession, id: string): Promise<void> {
  await session.request(`removing the image ${id}`, "image", `/images/${id}`, { method: "DELETE", expect: [204, 404] });
}

function query(fields: Record<string, string>): string {
  return new URLSearchParams(fields).toString();
}

/** Passes bytes on, and knows their number and hash. */
class HashingStream extends Transform {
  readonly #algorithm: string;
  readonly #hash;
  readonly #advance: ((bytes: number) => void) | undefined;
  readonly #limitBytes: number | undefined;
  #sizeBytes = 0;

  constructor(algorithm: string, advance?: (bytes: number) => void, limitBytes?: number) {
    super();
    this.#algorithm = algorithm;
    this.#hash = createHash(algorithm);
    this.#advance = advance;
    this.#limitBytes = limitBytes;
  }

  override _transform(chunk: Uint8Array, _: BufferEncoding, done: (error?: Error | null, data?: Uint8Array) => void) {
    this.#hash.update(chunk);
    this.#sizeBytes += chunk.byteLength;
    this.#advance?.(chunk.byteLength);
    const isTooLong = this.#limitBytes !== undefined && this.#sizeBytes > this.#limitBytes;
    done(isTooLong ? mismatch("transferring an image", `more than its ${this.#limitBytes} bytes`) : null, chunk);
  }

  /** Against what Glance computed when it got the image ("os_hash_value", since Image API v2.7), and its size. */
  verify({ size, os_hash_algo: algorithm, os_hash_value: expected }: CloudImage, doing: string): void {
    if (typeof size === "number" && size !== this.#sizeBytes) {
      throw mismatch(doing, `the cloud has ${size} bytes, ${this.#sizeBytes} were transferred`);
    }
    const found = this.#hash.digest("hex");
    if (algorithm === this.#algorithm && expected && expected !== found) {
      throw mismatch(doing, `the cloud's ${algorithm} is ${expected}, that of what was transferred is ${found}`);
    }
  }
}

function mismatch(doing: string, problem: string): Failure {
  return new Failure({
    code: "cloud-hash-mismatch",
    kind: "integrity",
    message: `${doing}: ${problem}`,
    hint: "try again; if it happens again, the way to the cloud or its store is broken",
  });
}
