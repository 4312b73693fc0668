import { type ByteSource, readExactly } from "../source.ts";
import { invalid } from "./invalid.ts";

/** All sizes and offsets in bytes. */
export interface VmdkHeader {
  version: number;
  /** Grains are deflated, each behind a marker: `streamOptimized`. Otherwise: `monolithicSparse`. */
  compressed: boolean;
  /** Entries of 1 in a grain table stand for a grain of zeros. */
  hasZeroGrains: boolean;
  virtualSizeBytes: number;
  grainBytes: number;
  directoryOffset: number;
  descriptorOffset: number;
  descriptorBytes: number;
  /** It was not closed properly by who wrote it last. */
  unclean: boolean;
}

export const sectorBytes = 512;
/** VMware's own tables have 512 entries, and so have those of all who write the format. */
export const entriesPerTable = 512;

const magic = Buffer.from("KDMV");
const directoryAtEnd = 0xffff_ffff_ffff_ffffn;
const maximumDescriptorSectors = 2048n;
const maximumGrainSectors = 4096n;
const defaultMaximumBytes = 16 * 2 ** 40;

const flags = {
  newLineTest: 1 << 0,
  redundantDirectory: 1 << 1,
  zeroGrains: 1 << 2,
  compressed: 1 << 16,
  markers: 1 << 17,
};
const knownFlags = Object.values(flags).reduce((all, flag) => all | flag, 0);

/**
 * Reads the header of a hosted sparse extent, or the footer that takes its place in a stream.
 * Source: VMware, "Virtual Disk Format 5.0", "Hosted Sparse Extents" and "Stream-Optimized Compressed".
 * @throws Failure `vmdk-header-invalid`, `vmdk-version-unsupported`, `vmdk-feature-unknown`,
 *   `vmdk-virtual-size-too-large`, `vmdk-external-extents`, `image-truncated` (integrity)
 */
export async function readHeader(source: ByteSource, maximumBytes = defaultMaximumBytes): Promise<VmdkHeader> {
  const sector = await readExactly(source, 0, sectorBytes, "the header");
  const header = parseHeader(source, sector, maximumBytes);
  if (sector.readBigUInt64LE(56) !== directoryAtEnd) return header;
  const footer = parseHeader(source, await readFooter(source), maximumBytes);
  for (const field of ["virtualSizeBytes", "grainBytes", "compressed", "hasZeroGrains"] as const) {
    if (header[field] !== footer[field]) {
      throw invalid(source, "header-invalid", `header and footer disagree on ${field}`);
    }
  }
  // What a stream's header could not know when it was written is where the directory lies.
  return { ...header, directoryOffset: footer.directoryOffset };
}

/** The last three sectors: a marker of type 3, the footer, and the end-of-stream marker of type 0. */
async function readFooter(source: ByteSource): Promise<Buffer> {
  if (source.sizeBytes % sectorBytes !== 0 || source.sizeBytes < 4 * sectorBytes) {
    throw invalid(source, "header-invalid", "its footer is cut off");
  }
  const sectors = await readExactly(source, source.sizeBytes - 3 * sectorBytes, 3 * sectorBytes, "the footer");
  const isMarker = (offset: number, type: number) =>
    sectors.readUInt32LE(offset + 8) === 0 && sectors.readUInt32LE(offset + 12) === type;
  if (!isMarker(0, 3) || !isMarker(2 * sectorBytes, 0)) {
    throw invalid(source, "header-invalid", "it has no footer, and is cut short or padded");
  }
  const footer = sectors.subarray(sectorBytes, 2 * sectorBytes);
  if (footer.readBigUInt64LE(56) === directoryAtEnd) {
    throw invalid(source, "header-invalid", "its footer names no grain directory");
  }
  return footer;
}

function parseHeader(source: ByteSource, sector: Buffer, maximumBytes: number): VmdkHeader {
  if (!sector.subarray(0, 4).equals(magic)) throw invalid(source, "header-invalid", "it has no VMDK header");
  const version = sector.readUInt32LE(4);
  // Version 3 adds change tracking, which concerns writers alone (QEMU, block/vmdk.c; VMware KB 2064959).
  if (version < 1 || version > 3) throw invalid(source, "version-unsupported", `its version is ${version}`);
  const grainSectors = sector.readBigUInt64LE(20);
  const isPowerOfTwo = (grainSectors & (grainSectors - 1n)) === 0n;
  if (grainSectors < 8n || grainSectors > maximumGrainSectors || !isPowerOfTwo) {
    throw invalid(source, "header-invalid", `its grains are of ${grainSectors} sectors`);
  }
  const entries = sector.readUInt32LE(44);
  if (entries !== entriesPerTable) throw invalid(source, "header-invalid", `its tables have ${entries} entries`);
  const descriptorSectors = sector.readBigUInt64LE(36);
  if (descriptorSectors > maximumDescriptorSectors) {
    throw invalid(source, "header-invalid", `its descriptor is of ${descriptorSectors} sectors`);
  }
  const directorySector = sector.readBigUInt64LE(56);
  return {
    version,
    ...readFlags(source, sector, version),
    virtualSizeBytes: readCapacity(source, sector.readBigUInt64LE(12), maximumBytes),
    grainBytes: Number(grainSectors) * sectorBytes,
    directoryOffset: directorySector === directoryAtEnd ? 0 : toOffset(source, directorySector, "the grain directory"),
    descriptorOffset: toOffset(source, sector.readBigUInt64LE(28), "the descriptor"),
    descriptorBytes: Number(descriptorSectors) * sectorBytes,
    unclean: sector.readUInt8(72) !== 0,
  };
}

function readFlags(source: ByteSource, sector: Buffer, version: number) {
  const set = sector.readUInt32LE(8);
  const has = (flag: number) => (set & flag) !== 0;
  const compression = sector.readUInt16LE(77);
  const isConsistent =
    (set & ~knownFlags) === 0 &&
    has(flags.compressed) === has(flags.markers) &&
    compression === (has(flags.compressed) ? 1 : 0) &&
    (version > 1 || !has(flags.zeroGrains));
  if (!isConsistent) {
    throw invalid(source, "feature-unknown", `flags 0x${set.toString(16)} with compression ${compression}`);
  }
  // These four bytes show whether the file went through a transfer that changes line ends.
  if (has(flags.newLineTest) && sector.toString("latin1", 73, 77) !== "\n \r\n") {
    throw invalid(source, "header-invalid", "its line ends were changed on the way, as by FTP in text mode");
  }
  return { compressed: has(flags.compressed), hasZeroGrains: has(flags.zeroGrains) };
}

function readCapacity(source: ByteSource, sectors: bigint, maximumBytes: number): number {
  if (sectors === 0n) throw invalid(source, "external-extents", "it holds no disk of its own");
  const bytes = sectors * BigInt(sectorBytes);
  if (bytes > BigInt(maximumBytes)) {
    throw invalid(source, "virtual-size-too-large", `its disk is of ${bytes} bytes, the limit is ${maximumBytes}`);
  }
  return Number(bytes);
}

function toOffset(source: ByteSource, sector: bigint, what: string): number {
  const offset = sector * BigInt(sectorBytes);
  if (offset >= BigInt(source.sizeBytes)) throw invalid(source, "outside-file", `${what} lies at byte ${offset}`);
  return Number(offset);
}
