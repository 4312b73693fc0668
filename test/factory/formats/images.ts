import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { deflateSync } from "node:zlib";
import { run } from "../../../common/run.ts";

const MiB = 2 ** 20;

/** A disk with an MBR's signature, text, noise, holes, and an end that fills no grain or cluster. */
export function makeDisk(): Buffer {
  const text = Buffer.from("cast cloud images onto bare metal\n".repeat(20_000)).subarray(0, 600 * 1024);
  const disk = Buffer.concat([
    Buffer.alloc(512),
    text.subarray(512),
    randomBytes(MiB / 4),
    Buffer.alloc(33 * MiB),
    text,
    Buffer.alloc(MiB),
    randomBytes(MiB / 8),
    Buffer.alloc(MiB),
    text.subarray(0, 512 * 9),
  ]);
  disk.writeUInt16BE(0x55aa, 510);
  return disk;
}

export async function qemuConvert(raw: string, file: string, format: string, ...options: string[]): Promise<string> {
  await run("qemu-img", ["convert", "-f", "raw", "-O", format, ...options, raw, file], { doing: "making an image" });
  return file;
}

/** What QEMU itself reads of an image. */
export async function readWithQemu(file: string, format: string): Promise<Buffer> {
  const raw = `${file}.reference`;
  await run("qemu-img", ["convert", "-f", format, "-O", "raw", file, raw], { doing: "reading an image" });
  return readFile(raw);
}

const sectorBytes = 512;
const grainBytes = 2 ** 16;
const grainsPerTable = 512;

const zeros = Buffer.alloc(grainBytes);
const isZero = (bytes: Buffer) => bytes.equals(zeros.subarray(0, bytes.length));

export interface StreamOptions {
  version?: number;
  /** For the descriptor: lines, and the type of the one extent. */
  settings?: string;
  createType?: string;
  extent?: string;
}

export function makeDescriptor(sectors: number, { settings, createType, extent }: StreamOptions = {}): string {
  return `# Disk DescriptorFile
version=1
CID=fffffffe
${settings ?? "parentCID=ffffffff"}
createType="${createType ?? "streamOptimized"}"

# Extent description
${extent ?? `RDONLY ${sectors} SPARSE "disk.vmdk"`}

# The Disk Data Base
#DDB
ddb.adapterType = "lsilogic"
ddb.uuid.image="2f0d7ad1-b8c3-4fa1-a4a7-0a0a0a0a0a0a"
`;
}

function makeHeader(fields: {
  version?: number;
  flags: number;
  sectors: number;
  directorySector: bigint;
  compression: number;
}): Buffer {
  const header = Buffer.alloc(sectorBytes);
  header.write("KDMV");
  header.writeUInt32LE(fields.version ?? 1, 4);
  header.writeUInt32LE(fields.flags, 8);
  header.writeBigUInt64LE(BigInt(fields.sectors), 12);
  header.writeBigUInt64LE(BigInt(grainBytes / sectorBytes), 20);
  header.writeBigUInt64LE(1n, 28);
  header.writeBigUInt64LE(20n, 36);
  header.writeUInt32LE(grainsPerTable, 44);
  header.writeBigUInt64LE(fields.directorySector, 56);
  header.writeBigUInt64LE(128n, 64);
  header.write("\n \r\n", 73, "latin1");
  header.writeUInt16LE(fields.compression, 77);
  return header;
}

/**
 * A stream as ovftool and VirtualBox write it: each grain and table behind a marker, the directory and a footer at the
 * end ("Stream-Optimized Compressed"). QEMU reads such streams, and writes none.
 */
export function makeStream(disk: Buffer, options: StreamOptions = {}): Buffer {
  const sectors = disk.length / sectorBytes;
  const flags = 0x30001;
  const fields = { version: options.version ?? 3, flags, sectors, compression: 1 };
  const parts: Buffer[] = [];
  let sector = 0;
  const append = (bytes: Buffer) => {
    const padding = Buffer.alloc((sectorBytes - (bytes.length % sectorBytes)) % sectorBytes);
    parts.push(bytes, padding);
    const place = sector;
    sector += (bytes.length + padding.length) / sectorBytes;
    return place;
  };
  const marker = (value: number, type: number) => {
    const block = Buffer.alloc(sectorBytes);
    block.writeBigUInt64LE(BigInt(value));
    block.writeUInt32LE(type, 12);
    return append(block);
  };
  append(makeHeader({ ...fields, directorySector: 0xffff_ffff_ffff_ffffn }));
  const descriptor = Buffer.alloc(20 * sectorBytes);
  descriptor.write(makeDescriptor(sectors, options));
  append(descriptor);
  append(Buffer.alloc((128 - sector) * sectorBytes));

  const tables: number[] = [];
  for (let start = 0; start < disk.length; start += grainsPerTable * grainBytes) {
    const table = Buffer.alloc(grainsPerTable * 4);
    for (let index = 0; index < grainsPerTable; index += 1) {
      const position = start + index * grainBytes;
      const grain = disk.subarray(position, position + grainBytes);
      if (isZero(grain)) continue;
      const data = deflateSync(Buffer.concat([grain, Buffer.alloc(grainBytes - grain.length)]));
      const head = Buffer.alloc(12);
      head.writeBigUInt64LE(BigInt(position / sectorBytes));
      head.writeUInt32LE(data.length, 8);
      table.writeUInt32LE(append(Buffer.concat([head, data])), index * 4);
    }
    if (isZero(table)) {
      tables.push(0);
      continue;
    }
    marker(4, 1);
    tables.push(append(table));
  }
  const directory = Buffer.alloc(tables.length * 4);
  for (const [index, place] of tables.entries()) directory.writeUInt32LE(place, index * 4);
  marker(1, 2);
  const directorySector = append(directory);
  marker(1, 3);
  append(makeHeader({ ...fields, directorySector: BigInt(directorySector) }));
  marker(0, 0);
  return Buffer.concat(parts);
}

export async function writeBytes(path: string, bytes: Buffer): Promise<string> {
  await writeFile(path, bytes);
  return path;
}
