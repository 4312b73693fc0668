import { type Header, pack } from "tar-stream";

export type Entry = Partial<Header> & { name: string };

export async function makeTar(members: Iterable<readonly [Entry, Uint8Array | string]>): Promise<Buffer> {
  const archive = pack();
  for (const [entry, bytes] of members) archive.entry(entry, bytes);
  archive.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive) if (chunk instanceof Uint8Array) chunks.push(chunk);
  return Buffer.concat(chunks);
}
