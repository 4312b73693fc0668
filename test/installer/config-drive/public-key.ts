/** One line of a .pub file; the bytes after the type are anything. */
export function publicKey(type: string, bytes: Iterable<number>): string {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(type.length);
  return `${type} ${Buffer.concat([length, Buffer.from(type), Buffer.from([...bytes])]).toString("base64")}`;
}
