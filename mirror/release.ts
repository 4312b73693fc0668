/**
 * Gives a buffer's memory back at once. Otherwise it stays until the garbage collector finds out, and megabytes a time
 * that are gone sooner than it looks cost more memory and more collecting than the work that they were for.
 * @param bytes nobody may look at again; all of their ArrayBuffer goes with them
 */
export function release({ buffer, byteLength }: Uint8Array): void {
  // Smaller ones may lie in Node's pool together (Buffer.poolSize): they stay.
  const isAlone = byteLength >= Buffer.poolSize / 2 || buffer.byteLength > Buffer.poolSize;
  if (isAlone && buffer instanceof ArrayBuffer) buffer.transfer(0);
}
