import { type BlockSource, readUpTo } from "./block-source.ts";
import { described, type FileSystem, fixedText, formatUuid } from "./file-system.ts";
import { recognizeBtrfs, recognizeExt, recognizeVfat, recognizeXfs } from "./superblock.ts";

/** The first bytes of a volume and its last ones hold every mark that is looked for. */
const headBytes = 68 * 1024;

/**
 * Tells what a volume holds by the marks of the kinds we know, at their places. No program that detects formats by
 * itself sees the bytes before.
 */
export async function recognizeFileSystem(volume: BlockSource): Promise<FileSystem> {
  const head = await readUpTo(volume, 0, headBytes);
  // A member of an md array with its superblock at the end looks like what it holds.
  if (await isMdMember(volume, head)) return described("md", { unreadable: "it is a member of an md array" });
  const found = [
    recognizeExt(head),
    recognizeXfs(head),
    recognizeBtrfs(head),
    recognizeVfat(head),
    recognizeLvm(head),
    recognizeSwap(head),
    recognizeLuks(head),
    recognizeIso(head),
  ].filter((candidate) => candidate !== undefined);
  const [only, ...others] = found;
  if (only === undefined) return described("unknown");
  if (others.length > 0) {
    const kinds = found.map(({ kind }) => kind).join(" and ");
    return described("ambiguous", { unreadable: `it bears the marks of ${kinds}` });
  }
  if (only.claimedBytes !== undefined && only.claimedBytes > volume.sizeBytes) {
    const unreadable = `it claims ${only.claimedBytes} bytes of a volume with ${volume.sizeBytes}`;
    return { ...only, unreadable };
  }
  return only;
}

/** LVM2, lib/format_text/layout.h: the label lies in one of the first four sectors. */
function recognizeLvm(head: Buffer): FileSystem | undefined {
  const isLabel = (offset: number) =>
    head.toString("latin1", offset, offset + 8) === "LABELONE" &&
    head.toString("latin1", offset + 24, offset + 32) === "LVM2 001";
  return [0, 512, 1024, 1536].some(isLabel) ? described("lvm2") : undefined;
}

/** Linux, include/linux/swap.h, `union swap_header`: the mark ends the first page, of 4 to 64 KiB. */
function recognizeSwap(head: Buffer): FileSystem | undefined {
  const pages = [4096, 8192, 16384, 65536];
  if (!pages.some((pageBytes) => head.toString("latin1", pageBytes - 10, pageBytes) === "SWAPSPACE2")) return undefined;
  return described("swap", { uuid: formatUuid(head, 1024 + 12), label: fixedText(head, 1024 + 28, 16) });
}

/** LUKS1 and LUKS2 on-disk format specifications: the header's magic. */
function recognizeLuks(head: Buffer): FileSystem | undefined {
  if (head.toString("hex", 0, 6) !== "4c554b53babe") return undefined;
  return described("luks", { uuid: fixedText(head, 168, 40), unreadable: "it is encrypted with LUKS" });
}

/** ECMA-119, 8.1: volume descriptors begin at sector 16 of 2,048 bytes. */
function recognizeIso(head: Buffer): FileSystem | undefined {
  if (head.toString("latin1", 32769, 32774) !== "CD001") return undefined;
  return described("iso9660", { label: head.toString("latin1", 32808, 32840).trim() });
}

/**
 * md(4) and Linux, include/uapi/linux/raid/md_p.h: version 1.1 at the start, 1.2 at 4 KiB, 1.0 at 8 to 12 KiB before
 * the end on a boundary of 4 KiB, 0.90 in the last whole 64 KiB but one.
 */
async function isMdMember(volume: BlockSource, head: Buffer): Promise<boolean> {
  const sectors = Math.floor(volume.sizeBytes / 512);
  const atEnd = [Math.floor((sectors - 16) / 8) * 8, Math.floor(sectors / 128) * 128 - 128];
  const marks = [head.subarray(0, 4), head.subarray(4096, 4100)];
  for (const sector of atEnd.filter((place) => place > 0)) marks.push(await readUpTo(volume, sector * 512, 4));
  return marks.some((mark) => mark.length === 4 && mark.readUInt32LE() === 0xa92b4efc);
}
