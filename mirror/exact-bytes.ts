import { Failure } from "../common/failure.ts";

/**
 * Passes a body on and holds it to its promised length, whatever the transport thinks of it.
 * @throws Failure `download-cut` (retry) where it ends early, `body-overlong` (integrity) before a byte too many is
 *   passed on
 */
export async function* exactBytes(
  body: AsyncIterable<Uint8Array>,
  { sizeBytes, doing }: { sizeBytes: number; doing: string },
): AsyncGenerator<Uint8Array, void, undefined> {
  let received = 0;
  for await (const chunk of body) {
    received += chunk.byteLength;
    if (received > sizeBytes) {
      throw new Failure({
        code: "body-overlong",
        kind: "integrity",
        message: `${doing}: more bytes arrive than the ${sizeBytes} that were promised`,
        hint: "look at the mirror's server and at any cache or proxy in front of it: this is not what was published",
        data: { expected: sizeBytes },
      });
    }
    yield chunk;
  }
  if (received < sizeBytes) throw downloadCut(doing, { expected: sizeBytes, found: received });
}

/** @returns the Failure for a body that broke off */
export function downloadCut(doing: string, data: { expected?: number; found?: number }, cause?: unknown): Failure {
  const found = data.found === undefined ? "" : ` after ${data.found} of ${data.expected} bytes`;
  const reason = cause instanceof Error && cause.message ? ` (${cause.message})` : "";
  return new Failure({
    code: "download-cut",
    kind: "retry",
    message: `${doing}: the connection broke off${found}${reason}`,
    hint: "check the network between here and the store, then run it again",
    data,
    cause,
  });
}

/** @returns the Failure for an object that ends before the range that was asked for */
export function objectShort(doing: string, data: { expected: number; found?: number }): Failure {
  return new Failure({
    code: "object-short",
    kind: "integrity",
    message: `${doing}: the object has fewer bytes than the ${data.expected} it should have`,
    hint: "the object was cut or replaced: publish the image again under a new version",
    data,
  });
}

/**
 * A server may ignore a range, or answer with what little there is. Content-Range: RFC 9110, 14.4.
 * @throws Failure `object-short`, `range-ignored` (integrity)
 */
export function expectRange(
  contentRange: string | null | undefined,
  range: { start: number; end: number },
  doing: string,
): void {
  const match = /^bytes (\d+)-(\d+)\//.exec(contentRange ?? "");
  const start = Number(match?.[1]);
  const end = Number(match?.[2]) + 1;
  if (start === range.start && end === range.end) return;
  if (start === range.start && end < range.end) throw objectShort(doing, { expected: range.end, found: end });
  throw new Failure({
    code: "range-ignored",
    kind: "integrity",
    message: `${doing}: asked for bytes ${range.start}-${range.end - 1}, the server sends ${contentRange ?? "all of it"}`,
    hint: "use a server, or a cache in front of it, that honors Range requests",
  });
}
