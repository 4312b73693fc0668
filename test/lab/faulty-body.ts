import { setTimeout as delay } from "node:timers/promises";

/** What happens to the body of an answer on its way. */
export interface BodyFaults {
  /** The connection is reset after so many bytes. */
  cutAfter?: number;
  /** Nothing comes after so many bytes, and the connection stays. */
  stallAfter?: number;
  /** This byte is another one. */
  corruptAt?: number;
  /** It ends after so many bytes, as if that were all. */
  truncateTo?: number;
  /** So many bytes follow that are none of it; Infinity: without an end. */
  pad?: number;
  /** It comes in pieces of so many bytes, with a pause after each. */
  drip?: { bytes: number; everyMs: number };
}

/** The connection is to be reset here. */
export class Cut extends Error {}

/** A body as its faults leave it. @throws Cut */
export async function* faultyBody(
  body: AsyncIterable<Buffer>,
  { cutAfter = Infinity, stallAfter = Infinity, corruptAt, truncateTo = Infinity, pad = 0, drip }: BodyFaults,
  gone: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  const end = Math.min(cutAfter, stallAfter, truncateTo);
  let position = 0;
  for await (const chunk of body) {
    const part = Buffer.from(chunk.subarray(0, end - position));
    const damaged = corruptAt === undefined ? -1 : corruptAt - position;
    if (damaged >= 0 && damaged < part.byteLength) part.writeUInt8(part.readUInt8(damaged) ^ 1, damaged);
    for (const piece of cutUp(part, drip?.bytes)) {
      yield piece;
      if (drip) await delay(drip.everyMs, undefined, { signal: gone });
    }
    position += part.byteLength;
    if (position >= end) break;
  }
  if (position >= cutAfter) throw new Cut("cut");
  if (position >= stallAfter) await delay(2 ** 30, undefined, { signal: gone });
  for (let left = pad; left > 0; left -= 2 ** 16) yield Buffer.alloc(Math.min(left, 2 ** 16), "pad");
}

function* cutUp(bytes: Buffer, pieceBytes = bytes.byteLength): Generator<Buffer> {
  for (let start = 0; start < bytes.byteLength; start += pieceBytes) yield bytes.subarray(start, start + pieceBytes);
}
