import { Qcow2Error } from "./error.ts";
import { assertInside, fill, type Qcow2Source } from "./source.ts";

// Clauses and field names: QEMU, docs/interop/qcow2, "Header".
const magic = 0x514649fb;
const version2Bytes = 72;
const version3Bytes = 104;
const compressionTypeAt = 104;

const features = {
  dirty: 1n << 0n,
  corrupt: 1n << 1n,
  externalDataFile: 1n << 2n,
  compressionType: 1n << 3n,
  extendedL2: 1n << 4n,
};
const knownFeatures = Object.values(features).reduce((all, bit) => all | bit);

/**
 * QEMU's own limit on the L1 table ("size": "an implementation limit of 32 MB"); no image it makes has a larger one.
 */
const maximumL1Bytes = 32 * 2 ** 20;

/** "Cluster mapping" wants 64 PB to suffice; ext4 stops at 16 TiB a file, which no cloud image comes near. */
const defaultMaximumVirtualBytes = 16 * 2 ** 40;

export type Compression = "zlib" | "zstd";

export interface HeaderPolicy {
  /** A dirty image's reference counts may be stale. Reading never looks at them, so the default is "accept". */
  dirty?: "accept" | "refuse";
  /** In an image marked corrupt "any data structure may be corrupt". The default is "refuse". */
  corrupt?: "accept" | "refuse";
  /** The largest virtual disk to accept, in bytes. Default: 16 TiB. */
  maximumVirtualBytes?: number;
}

export interface Qcow2Header {
  version: 2 | 3;
  virtualSizeBytes: number;
  clusterBits: number;
  clusterBytes: number;
  compression: Compression;
  extendedL2: boolean;
  dirty: boolean;
  corrupt: boolean;
  /** Internal snapshots in the file. They are not read. */
  snapshots: number;
  l1Offset: number;
  /** Entries that the virtual size needs; the table may have more, which hold the state of snapshots. */
  l1Entries: number;
  /** Guest clusters that one L2 table maps. */
  l2Entries: number;
}

/**
 * Reads the header and refuses by name everything that cannot be read from this file alone.
 * @throws Qcow2Error; see Qcow2ErrorCode
 */
export async function readHeader(source: Qcow2Source, policy: HeaderPolicy): Promise<Qcow2Header> {
  const bytes = Buffer.alloc(Math.min(source.sizeBytes, compressionTypeAt + 1));
  await fill(source, bytes, 0, "the header");
  const version = readVersion(bytes);
  refuseOtherFiles(bytes);
  const clusterBits = readClusterBits(bytes);
  const { incompatible, compression } =
    version === 3 ? readVersion3(bytes, 2 ** clusterBits) : { incompatible: 0n, compression: "zlib" as const };
  const extendedL2 = (incompatible & features.extendedL2) !== 0n;
  if (extendedL2 && clusterBits < 14) {
    throw new Qcow2Error("header-invalid", "extended L2 entries want clusters of at least 16 KiB");
  }
  const header = {
    version,
    clusterBits,
    clusterBytes: 2 ** clusterBits,
    compression,
    extendedL2,
    dirty: (incompatible & features.dirty) !== 0n,
    corrupt: (incompatible & features.corrupt) !== 0n,
    snapshots: bytes.readUInt32BE(60),
    virtualSizeBytes: readVirtualSize(bytes, policy.maximumVirtualBytes ?? defaultMaximumVirtualBytes),
    l2Entries: 2 ** clusterBits / (extendedL2 ? 16 : 8),
  };
  applyPolicy(header, policy);
  return { ...header, ...readL1Location(bytes, header, source) };
}

function readVersion(bytes: Buffer): 2 | 3 {
  if (bytes.length < 8 || bytes.readUInt32BE(0) !== magic) {
    throw new Qcow2Error("not-qcow2", "the file does not begin with the mark of a qcow2 image", {
      hint: "declare the format that the file really has",
    });
  }
  const version = bytes.readUInt32BE(4);
  if (version !== 2 && version !== 3) {
    throw new Qcow2Error("version-unsupported", `the image has version ${version}; 2 and 3 can be read`, {
      data: { version },
    });
  }
  const needed = version === 2 ? version2Bytes : version3Bytes;
  if (bytes.length < needed) {
    throw new Qcow2Error("header-truncated", `the file ends inside the header, which takes ${needed} bytes`);
  }
  return version;
}

function refuseOtherFiles(bytes: Buffer): void {
  if (bytes.readBigUInt64BE(8) !== 0n) {
    throw new Qcow2Error("backing-file", "the image refers to a backing file", {
      hint: "flatten it where both files are trusted: qemu-img convert -O qcow2",
    });
  }
  const method = bytes.readUInt32BE(32);
  if (method !== 0) {
    const name = { 1: "AES", 2: "LUKS" }[method] ?? `method ${method}`;
    throw new Qcow2Error("encrypted", `the image is encrypted (${name})`, { data: { method } });
  }
}

function readClusterBits(bytes: Buffer): number {
  const clusterBits = bytes.readUInt32BE(20);
  // "cluster_bits": at least 9; 21 (2 MiB) is QEMU's own limit.
  if (clusterBits < 9 || clusterBits > 21) {
    throw new Qcow2Error("cluster-size-unsupported", `clusters of 2^${clusterBits} bytes: 512 B to 2 MiB can be read`, {
      data: { clusterBits },
    });
  }
  return clusterBits;
}

function readVersion3(bytes: Buffer, clusterBytes: number): { incompatible: bigint; compression: Compression } {
  const incompatible = bytes.readBigUInt64BE(72);
  const unknown = incompatible & ~knownFeatures;
  if (unknown !== 0n) {
    throw new Qcow2Error("feature-unknown", `the image needs features unknown here: bits 0x${unknown.toString(16)}`, {
      data: { incompatible: `0x${incompatible.toString(16)}` },
    });
  }
  if ((incompatible & features.externalDataFile) !== 0n) {
    throw new Qcow2Error("external-data-file", "the image keeps its data in another file", {
      hint: "flatten it where both files are trusted: qemu-img convert -O qcow2",
    });
  }
  const headerBytes = bytes.readUInt32BE(100);
  if (headerBytes < version3Bytes || headerBytes % 8 !== 0 || headerBytes > clusterBytes) {
    throw new Qcow2Error("header-invalid", `the header gives its own length as ${headerBytes} bytes`);
  }
  const type = headerBytes > compressionTypeAt ? bytes[compressionTypeAt] : 0;
  if (type === undefined) throw new Qcow2Error("header-truncated", "the file ends inside the header");
  if ((type !== 0) !== ((incompatible & features.compressionType) !== 0n)) {
    throw new Qcow2Error("header-invalid", "the compression type and its feature bit contradict each other");
  }
  if (type > 1) {
    throw new Qcow2Error("compression-unsupported", `compression type ${type}: zlib (0) and zstd (1) can be read`);
  }
  return { incompatible, compression: type === 0 ? "zlib" : "zstd" };
}

function readVirtualSize(bytes: Buffer, maximumBytes: number): number {
  const size = bytes.readBigUInt64BE(24);
  if (Number(size) > Math.min(maximumBytes, Number.MAX_SAFE_INTEGER)) {
    throw new Qcow2Error("virtual-size-too-large", `a virtual disk of ${size} bytes: at most ${maximumBytes}`, {
      data: { maximumBytes },
    });
  }
  return Number(size);
}

function applyPolicy(header: Pick<Qcow2Header, "dirty" | "corrupt">, policy: HeaderPolicy): void {
  const hint = "repair it with qemu-img check -r all, or take a fresh copy";
  if (header.corrupt && policy.corrupt !== "accept") {
    throw new Qcow2Error("marked-corrupt", "the image is marked corrupt", { hint });
  }
  if (header.dirty && policy.dirty === "refuse") {
    throw new Qcow2Error("marked-dirty", "the image is marked dirty: it was not closed properly", { hint });
  }
}

function readL1Location(
  bytes: Buffer,
  { virtualSizeBytes, clusterBytes, l2Entries }: Omit<Qcow2Header, "l1Offset" | "l1Entries">,
  source: Qcow2Source,
): Pick<Qcow2Header, "l1Offset" | "l1Entries"> {
  const declared = bytes.readUInt32BE(36);
  if (declared * 8 > maximumL1Bytes) {
    throw new Qcow2Error("l1-too-large", `an L1 table of ${declared * 8} bytes: at most ${maximumL1Bytes}`);
  }
  const l1Entries = Math.ceil(virtualSizeBytes / (clusterBytes * l2Entries));
  if (declared < l1Entries) {
    throw new Qcow2Error("l1-too-small", `the L1 table has ${declared} entries, the virtual size needs ${l1Entries}`);
  }
  if (l1Entries === 0) return { l1Offset: 0, l1Entries };
  const l1Offset = Number(bytes.readBigUInt64BE(40));
  if (l1Offset === 0 || l1Offset % clusterBytes !== 0) {
    throw new Qcow2Error("misaligned", `the L1 table is said to begin at byte ${l1Offset}`, { data: { l1Offset } });
  }
  assertInside(source, l1Offset, declared * 8, "the L1 table");
  return { l1Offset, l1Entries };
}
