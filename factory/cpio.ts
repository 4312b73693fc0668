import { Failure } from "../common/failure.ts";

export interface CpioMember {
  name: string;
  /** st_mode: type and permissions. */
  mode: number;
  /** How many names the file has. */
  links: number;
}

export interface CpioArchive {
  members: CpioMember[];
  /** Where the first byte behind the archive and its padding of zeros lies; the buffer's length if nothing follows. */
  endOffset: number;
}

/**
 * initramfs buffer format (kernel's Documentation/driver-api/early-userspace/buffer-format.rst): magic and 13 fields.
 */
const magicCharacters = 6;
const fieldCharacters = 8;
const headerBytes = magicCharacters + 13 * fieldCharacters;

/** Many times what an initramfs with every driver has: bounds the memory that the list takes. */
export const memberLimit = 2 ** 18;

const align = (offset: number) => Math.ceil(offset / 4) * 4;

export function isCpio(bytes: Buffer, offset = 0): boolean {
  const magic = bytes.toString("latin1", offset, offset + magicCharacters);
  return magic === "070701" || magic === "070702";
}

/**
 * Lists a cpio archive in the "newc" format, in which the kernel takes an initramfs.
 * @throws Failure `initramfs-invalid` (integrity)
 */
export function readCpio(bytes: Buffer, start = 0): CpioArchive {
  const members: CpioMember[] = [];
  let offset = start;
  for (;;) {
    if (!isCpio(bytes, offset) || offset + headerBytes > bytes.length) throw invalid(`no member at byte ${offset}`);
    const mode = readField(bytes, offset, 1);
    const links = readField(bytes, offset, 4);
    const sizeBytes = readField(bytes, offset, 6);
    const nameBytes = readField(bytes, offset, 11);
    const nameStart = offset + headerBytes;
    const contentStart = align(nameStart + nameBytes - start) + start;
    if (nameBytes === 0 || contentStart + sizeBytes > bytes.length)
      throw invalid(`the member at byte ${offset} is cut off`);
    const name = bytes.toString("utf8", nameStart, nameStart + nameBytes - 1);
    offset = Math.min(align(contentStart + sizeBytes - start) + start, bytes.length);
    if (name === "TRAILER!!!") break;
    if (members.length === memberLimit) throw invalid(`it has more than ${memberLimit} members`);
    members.push({ name, mode, links });
  }
  while (bytes[offset] === 0) offset += 1;
  return { members, endOffset: offset };
}

function readField(bytes: Buffer, offset: number, index: number): number {
  const start = offset + magicCharacters + index * fieldCharacters;
  const text = bytes.toString("latin1", start, start + fieldCharacters);
  if (!/^[0-9A-Fa-f]{8}$/.test(text)) throw invalid(`the member at byte ${offset} has a field "${text}"`);
  return Number.parseInt(text, 16);
}

function invalid(reason: string): Failure {
  return new Failure({ code: "initramfs-invalid", kind: "integrity", message: `reading an initramfs: ${reason}` });
}
