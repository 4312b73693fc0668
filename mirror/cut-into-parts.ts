/**
 * Cuts a body into parts of one size, the last of which may be shorter. Each is a buffer of its own, filled when it is
 * asked for. An empty body has no parts.
 */
export async function* cutIntoParts(
  body: AsyncIterable<Uint8Array>,
  partBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let part = Buffer.allocUnsafeSlow(partBytes);
  let filled = 0;
  for await (const chunk of body) {
    for (let taken = 0; taken < chunk.byteLength; ) {
      if (filled === partBytes) {
        yield part;
        part = Buffer.allocUnsafeSlow(partBytes);
        filled = 0;
      }
      const piece = chunk.subarray(taken, taken + partBytes - filled);
      part.set(piece, filled);
      filled += piece.byteLength;
      taken += piece.byteLength;
    }
  }
  if (filled > 0) yield part.subarray(0, filled);
}
