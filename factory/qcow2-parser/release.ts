/**
 * Frees the memory of a buffer that nobody needs any more, if the buffer has it to itself. Left to the garbage collector,
 * hundreds of clusters would wait for it, and each new one would be written to memory that no cache holds.
 */
export function release({ buffer, byteLength }: Buffer): void {
  // Small buffers share a pool. The byte more is the room that decompressing leaves.
  if (buffer instanceof ArrayBuffer && buffer.byteLength <= byteLength + 1) buffer.transfer(0);
}
