import { readSync, writeSync } from "node:fs";
import { decompressClusterSync } from "./decompress.ts";
import { findData } from "./find-data.ts";
import type { Qcow2Header } from "./header.ts";
import type { TableRange } from "./layout.ts";
import { type CompressedPiece, type Piece, piecesOfTable } from "./piece.ts";
import { release } from "./release.ts";
import { outsideFile, readFailed } from "./source.ts";
import { Turn } from "./turn.ts";
import { writeFailed } from "./write-failed.ts";

/** Guest bytes that are read, decompressed and written at a time, or one cluster's if that is more. */
const windowBytes = 2 ** 20;
/** Compressed clusters this near to each other in the file are read together, with what lies between them. */
const gapBytes = 2 ** 16;

/**
 * The kernel takes memory for its cache in blocks as long as the write. Long blocks are scarce, and in a virtual machine
 * that returns free memory to its host (free page reporting) they are those that the host must bring back first.
 */
const writeBytes = 2 ** 16;

export interface CopyJob {
  header: Qcow2Header;
  fileSizeBytes: number;
  /** Open files of this process. */
  input: number;
  output: number;
  /** Whose turn it is to write; see Turn. */
  writing: SharedArrayBuffer;
  /** Names the output in errors. */
  destination: string;
}

/** Copies shares of a disk from one open file to another. It blocks its thread, and is made for one of its own. */
export class ShareCopier {
  readonly #job: CopyJob;
  readonly #turn: Turn;
  readonly #window: Buffer;
  /** Compressed data. A cluster's descriptor can claim twice a cluster. */
  readonly #packed: Buffer;

  constructor(job: CopyJob) {
    this.#job = job;
    this.#turn = new Turn(job.writing);
    const { clusterBytes } = job.header;
    this.#window = Buffer.allocUnsafeSlow(Math.max(windowBytes, clusterBytes));
    this.#packed = Buffer.allocUnsafeSlow(this.#window.length + 2 * clusterBytes);
  }

  /**
   * @returns bytes written; zeros are not
   * @throws Qcow2Error `write-failed`, and what a damaged image deserves
   */
  copy(share: readonly TableRange[]): number {
    let dataBytes = 0;
    for (const range of share) {
      const { table, tablePosition } = this.#readTable(range);
      for (let start = range.start; start < range.end; ) {
        const end = Math.min(range.end, start + this.#window.length);
        const pieces = piecesOfTable(this.#job.header, table, tablePosition, { start, end });
        if (pieces.some(({ kind }) => kind !== "zero")) dataBytes += this.#copyWindow(start, end, pieces);
        start = end;
      }
    }
    return dataBytes;
  }

  /** The part of the L2 table that the range needs, as if it were the whole. */
  #readTable({ hostOffset, tablePosition, start, end }: TableRange): { table: DataView; tablePosition: number } {
    const { clusterBytes, l2Entries } = this.#job.header;
    const entryBytes = clusterBytes / l2Entries;
    const first = Math.floor((start - tablePosition) / clusterBytes);
    const last = Math.ceil((end - tablePosition) / clusterBytes);
    const bytes = new Uint8Array((last - first) * entryBytes);
    this.#fill(bytes, hostOffset + first * entryBytes, `the L2 table of guest byte ${start}`);
    return { table: new DataView(bytes.buffer), tablePosition: tablePosition + first * clusterBytes };
  }

  #copyWindow(start: number, end: number, pieces: readonly Piece[]): number {
    const window = this.#window.subarray(0, end - start);
    const compressed: CompressedPiece[] = [];
    for (const piece of pieces) {
      const target = window.subarray(piece.position - start, piece.position - start + piece.length);
      if (piece.kind === "zero") target.fill(0);
      else if (piece.kind === "stored") this.#fill(target, piece.hostOffset, nameOf(piece));
      else compressed.push(piece);
    }
    for (const group of groupNeighbors(compressed, this.#packed.length)) this.#decompress(group, window, start);
    const runs = [...findData(window)];
    if (runs.length === 0) return 0;
    this.#turn.run(() => {
      for (const { offset, bytes } of runs) this.#write(bytes, start + offset);
    });
    return runs.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  #decompress({ hostOffset, hostEnd, pieces }: Group, window: Buffer, start: number): void {
    const { header, fileSizeBytes } = this.#job;
    // The last sector may lie beyond the end of the file, in part or wholly: writers do not pad it.
    const end = Math.min(hostEnd, fileSizeBytes);
    for (const piece of pieces) {
      if (piece.hostOffset >= fileSizeBytes) throw outsideFile(fileSizeBytes, piece.hostOffset, 1, nameOf(piece));
    }
    const packed = this.#packed.subarray(0, end - hostOffset);
    this.#fill(packed, hostOffset, nameOf(pieces[0] ?? { position: start }));
    for (const piece of pieces) {
      const from = piece.hostOffset - hostOffset;
      const bytes = packed.subarray(from, from + piece.hostLength);
      const cluster = decompressClusterSync(header.compression, bytes, header.clusterBytes);
      cluster.copy(window, piece.position - start, piece.skip, piece.skip + piece.length);
      release(cluster);
    }
  }

  #fill(buffer: Uint8Array, position: number, what: string): void {
    const { fileSizeBytes } = this.#job;
    if (position + buffer.length > fileSizeBytes) throw outsideFile(fileSizeBytes, position, buffer.length, what);
    for (let filled = 0; filled < buffer.length; ) {
      const bytesRead = this.#read(buffer, filled, position, what);
      if (bytesRead === 0) throw outsideFile(fileSizeBytes, position, buffer.length, what);
      filled += bytesRead;
    }
  }

  #read(buffer: Uint8Array, filled: number, position: number, what: string): number {
    try {
      return readSync(this.#job.input, buffer, filled, buffer.length - filled, position + filled);
    } catch (cause) {
      throw readFailed(what, position, cause);
    }
  }

  #write(bytes: Buffer, position: number): void {
    const { output, destination } = this.#job;
    try {
      // A write to a nearly full disk may write less than it was given, and only the next one fails.
      for (let written = 0; written < bytes.length; ) {
        const length = Math.min(writeBytes, bytes.length - written);
        written += writeSync(output, bytes, written, length, position + written);
      }
    } catch (cause) {
      throw writeFailed(destination, cause);
    }
  }
}

interface Group {
  hostOffset: number;
  hostEnd: number;
  pieces: CompressedPiece[];
}

/** Writers lay clusters down in any order, but those of one window near each other. */
function groupNeighbors(pieces: CompressedPiece[], maximumBytes: number): Group[] {
  const groups: Group[] = [];
  for (const piece of pieces.toSorted((a, b) => a.hostOffset - b.hostOffset)) {
    const end = piece.hostOffset + piece.hostLength;
    const last = groups.at(-1);
    if (last && piece.hostOffset <= last.hostEnd + gapBytes && end - last.hostOffset <= maximumBytes) {
      last.hostEnd = Math.max(last.hostEnd, end);
      last.pieces.push(piece);
    } else {
      groups.push({ hostOffset: piece.hostOffset, hostEnd: end, pieces: [piece] });
    }
  }
  return groups;
}

const nameOf = ({ position }: Pick<Piece, "position">) => `the cluster of guest byte ${position}`;
