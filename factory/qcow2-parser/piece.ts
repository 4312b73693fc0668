import { Qcow2Error } from "./error.ts";
import type { Qcow2Header } from "./header.ts";

/**
 * A run of guest bytes and where they come from. Positions are on the virtual disk, host offsets in the file; all in
 * bytes.
 */
export type Piece = Place & (Zero | Stored | Compressed);
export type CompressedPiece = Place & Compressed;

type Place = { position: number; length: number };
type Zero = { kind: "zero" };
type Stored = { kind: "stored"; hostOffset: number };
/** Guest bytes `skip` to `skip + length` of the cluster that the compressed data makes. */
type Compressed = { kind: "compressed"; hostOffset: number; hostLength: number; skip: number };

// "L2 table entry", "Standard Cluster Descriptor".
const compressedFlag = 1n << 62n;
const copiedFlag = 1n << 63n;
const zeroFlag = 1n;
const offsetMask = 0x00ff_ffff_ffff_fe00n;
const reservedMask = 0x3f00_0000_0000_01fen;
const subclusters = 32;

/**
 * What one L2 table says of the guest bytes from `start` to `end`, neighbors merged.
 * @param tablePosition where on the virtual disk the table's first cluster begins
 * @throws Qcow2Error `entry-invalid`, `misaligned`
 */
export function piecesOfTable(
  header: Qcow2Header,
  table: DataView,
  tablePosition: number,
  { start, end }: { start: number; end: number },
): Piece[] {
  const pieces: Piece[] = [];
  const { clusterBytes } = header;
  const first = Math.floor((start - tablePosition) / clusterBytes);
  for (let index = first; tablePosition + index * clusterBytes < end; index += 1) {
    for (const piece of piecesOfEntry(header, table, index, tablePosition + index * clusterBytes)) {
      if (piece.position < end && piece.position + piece.length > start) append(pieces, clip(piece, start, end));
    }
  }
  return pieces;
}

function piecesOfEntry(header: Qcow2Header, table: DataView, index: number, position: number): Piece[] {
  const { clusterBytes: length, extendedL2 } = header;
  const entry = table.getBigUint64(index * (extendedL2 ? 16 : 8));
  if ((entry & compressedFlag) !== 0n) {
    // "Subcluster Allocation Bitmap (for compressed clusters)": reserved.
    const bitmap = extendedL2 ? table.getBigUint64(index * 16 + 8) : 0n;
    if (bitmap !== 0n) throw invalid("a compressed cluster with subclusters", bitmap, position);
    return [{ position, length, ...compressedOrigin(header, entry, position) }];
  }
  const hostOffset = standardOffset(header, entry, position);
  if (extendedL2) return piecesOfSubclusters(header, table.getBigUint64(index * 16 + 8), position, hostOffset);
  const isZero = hostOffset === 0 || (entry & zeroFlag) !== 0n;
  return [isZero ? { position, length, kind: "zero" } : { position, length, kind: "stored", hostOffset }];
}

function standardOffset({ clusterBytes, version, extendedL2 }: Qcow2Header, entry: bigint, position: number): number {
  // The zero flag: "With version 2 or with extended L2 entries, this is always 0."
  const reserved = version === 2 || extendedL2 ? reservedMask | zeroFlag : reservedMask;
  if ((entry & reserved) !== 0n) throw invalid("reserved bits set", entry, position);
  const hostOffset = Number(entry & offsetMask);
  if (hostOffset % clusterBytes !== 0) {
    throw new Qcow2Error("misaligned", `the cluster of guest byte ${position} is said to lie at byte ${hostOffset}`, {
      data: { position, hostOffset },
    });
  }
  // "The offset may only be 0 with bit 63 set when an external data file is used."
  if (hostOffset === 0 && (entry & copiedFlag) !== 0n) throw invalid("a host offset of 0", entry, position);
  return hostOffset;
}

/** "Compressed Clusters Descriptor": bits 0 to x-1 are the offset, x to 61 count further 512-byte sectors. */
function compressedOrigin({ clusterBits }: Qcow2Header, entry: bigint, position: number): Compressed {
  if ((entry & copiedFlag) !== 0n) throw invalid("a compressed cluster marked as copied", entry, position);
  const x = BigInt(62 - (clusterBits - 8));
  const hostOffset = Number(entry & ((1n << x) - 1n));
  const moreSectors = Number((entry & (compressedFlag - 1n)) >> x);
  return { kind: "compressed", hostOffset, hostLength: (moreSectors + 1) * 512 - (hostOffset % 512), skip: 0 };
}

/** "Subcluster Allocation Bitmap": bits 0 to 31 say allocated, bits 32 to 63 say zero. */
function piecesOfSubclusters(header: Qcow2Header, bitmap: bigint, position: number, hostOffset: number): Piece[] {
  const allocated = bitmap & 0xffff_ffffn;
  if ((allocated & (bitmap >> 32n)) !== 0n) throw invalid("a subcluster both allocated and zero", bitmap, position);
  if (allocated !== 0n && hostOffset === 0) throw invalid("subclusters without a cluster", bitmap, position);
  const length = header.clusterBytes / subclusters;
  const pieces: Piece[] = [];
  for (let index = 0; index < subclusters; index += 1) {
    const place = { position: position + index * length, length };
    const isStored = ((allocated >> BigInt(index)) & 1n) === 1n;
    append(
      pieces,
      isStored ? { ...place, kind: "stored", hostOffset: hostOffset + index * length } : { ...place, kind: "zero" },
    );
  }
  return pieces;
}

function clip(piece: Piece, start: number, end: number): Piece {
  const cut = Math.max(0, start - piece.position);
  const position = piece.position + cut;
  const length = Math.min(piece.position + piece.length, end) - position;
  if (piece.kind === "zero") return { ...piece, position, length };
  if (piece.kind === "stored") return { ...piece, position, length, hostOffset: piece.hostOffset + cut };
  return { ...piece, position, length, skip: cut };
}

function append(pieces: Piece[], next: Piece): void {
  const last = pieces.at(-1);
  const continues =
    (last?.kind === "zero" && next.kind === "zero") ||
    (last?.kind === "stored" && next.kind === "stored" && last.hostOffset + last.length === next.hostOffset);
  if (last && continues) last.length += next.length;
  else pieces.push(next);
}

function invalid(found: string, entry: bigint, position: number): Qcow2Error {
  return new Qcow2Error("entry-invalid", `the L2 entry of guest byte ${position}: ${found}: 0x${entry.toString(16)}`);
}
