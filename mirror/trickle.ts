/** Below that, a frame of the usual size takes more than an hour. */
const leastBytesPerSecond = 1024;

/**
 * A server that sends a byte now and then keeps the connection busy, and its reader for ever.
 * @param periodMs how long it is watched before it is judged
 * @throws Error that says how little came
 */
export async function* withoutTrickle(body: AsyncIterable<Uint8Array>, periodMs: number): AsyncGenerator<Uint8Array> {
  let waitedMs = 0;
  let bytes = 0;
  let askedAt = performance.now();
  for await (const chunk of body) {
    // What the reader takes for itself is not the server's.
    waitedMs += performance.now() - askedAt;
    bytes += chunk.byteLength;
    if (waitedMs >= periodMs) {
      if (bytes < (leastBytesPerSecond * waitedMs) / 1000) {
        throw new Error(`only ${bytes} bytes came in ${Math.round(waitedMs / 100) / 10} s`);
      }
      waitedMs = 0;
      bytes = 0;
    }
    yield chunk;
    askedAt = performance.now();
  }
}
