import { crc32 } from "node:zlib";
import { type BlockSource, readUpTo } from "./block-source.ts";
import { invalidLvm } from "./lvm-text.ts";

/** LVM2, lib/misc/crc.h. */
const crcSeed = 0xf597a6cf;
const labelSectors = 4;
const sectorBytes = 512;
const headerBytes = 512;
/** The default area has 1 MiB, of which metadata takes a few KiB. */
const maximumMetadataBytes = 2 ** 20;
const areaMagic = " LVM2 x[5A%r0N*>";

interface Area {
  offsetBytes: number;
  sizeBytes: number;
}

/**
 * Reads the label and the metadata text of an LVM2 physical volume (LVM2, lib/format_text/layout.h and lib/label/label.h).
 * Every checksum on the way is checked.
 * @returns the text, empty where it belongs to no volume group, and the physical volume's UUID without its dashes
 * @throws Failure `lvm-invalid` (integrity)
 */
export async function readLvmMetadata(volume: BlockSource): Promise<{ text: string; uuid: string }> {
  const { label, labelOffset } = await findLabel(volume);
  const sector = BigInt(labelOffset / sectorBytes);
  if (label.readBigUInt64LE(8) !== sector) throw invalidLvm("the label does not lie where it says");
  if (lvmCrc(label.subarray(20)) !== label.readUInt32LE(16)) throw invalidLvm("the label's checksum is wrong");
  const header = label.subarray(label.readUInt32LE(20));
  if (header.length < 40) throw invalidLvm("the label has no physical volume header");
  const [, metadataAreas] = readAreas(header.subarray(40));
  const area = metadataAreas[0];
  if (!area) throw invalidLvm("the physical volume keeps no metadata");
  return { text: await readText(volume, area), uuid: header.toString("latin1", 0, 32) };
}

async function findLabel(volume: BlockSource) {
  const head = await readUpTo(volume, 0, labelSectors * sectorBytes);
  for (let labelOffset = 0; labelOffset + sectorBytes <= head.length; labelOffset += sectorBytes) {
    const label = head.subarray(labelOffset, labelOffset + sectorBytes);
    if (label.toString("latin1", 0, 8) === "LABELONE") return { label, labelOffset };
  }
  throw invalidLvm("there is no label");
}

/** Two lists of places, of data and of metadata, each ended by zeros. */
function readAreas(bytes: Buffer): [data: Area[], metadata: Area[]] {
  const lists: [Area[], Area[]] = [[], []];
  let list = 0;
  for (let position = 0; position + 16 <= bytes.length; position += 16) {
    const offsetBytes = Number(bytes.readBigUInt64LE(position));
    const target = lists[list];
    if (target === undefined) return lists;
    if (offsetBytes === 0) list += 1;
    else target.push({ offsetBytes, sizeBytes: Number(bytes.readBigUInt64LE(position + 8)) });
  }
  return lists;
}

/** The area is a ring behind its header: a text may go on at the start (`struct mda_header`, `struct raw_locn`). */
async function readText(volume: BlockSource, area: Area): Promise<string> {
  if (area.offsetBytes + area.sizeBytes > volume.sizeBytes) throw invalidLvm("the metadata lies outside the volume");
  if (area.sizeBytes <= headerBytes) throw invalidLvm("the metadata area is too small");
  const header = await volume.read(area.offsetBytes, headerBytes);
  if (header.toString("latin1", 4, 20) !== areaMagic) throw invalidLvm("the metadata area has no header");
  if (lvmCrc(header.subarray(4)) !== header.readUInt32LE(0))
    throw invalidLvm("the metadata header's checksum is wrong");
  const offset = Number(header.readBigUInt64LE(40));
  const length = Number(header.readBigUInt64LE(48));
  if (length === 0) return "";
  const inside = offset >= headerBytes && offset < area.sizeBytes && length <= area.sizeBytes - headerBytes;
  if (!inside || length > maximumMetadataBytes) throw invalidLvm(`the metadata has ${length} bytes at ${offset}`);
  const first = Math.min(length, area.sizeBytes - offset);
  const text = Buffer.concat([
    await volume.read(area.offsetBytes + offset, first),
    await volume.read(area.offsetBytes + headerBytes, length - first),
  ]);
  if (lvmCrc(text) !== header.readUInt32LE(56)) throw invalidLvm("the metadata's checksum is wrong");
  return text.toString("utf8", 0, endOf(text));
}

/** Where the zeros begin that end a text. No pattern looks for them: it would start anew at each of millions. */
function endOf(text: Buffer): number {
  let end = text.length;
  while (end > 0 && text[end - 1] === 0) end -= 1;
  return end;
}

/** The usual CRC-32 without its inversions. */
export function lvmCrc(bytes: Buffer): number {
  return ~crc32(bytes, ~crcSeed >>> 0) >>> 0;
}
