import { decompressCluster } from "./decompress.ts";
import { Qcow2Error } from "./error.ts";
import { type Compression, type HeaderPolicy, type Qcow2Header, readHeader } from "./header.ts";
import type { Qcow2Layout } from "./layout.ts";
import { type Piece, piecesOfTable } from "./piece.ts";
import { release } from "./release.ts";
import { assertInside, fill, openFileSource, type Qcow2Source } from "./source.ts";
import { MappingTables } from "./tables.ts";

export interface Qcow2Info {
  version: 2 | 3;
  virtualSizeBytes: number;
  /** Of the qcow2 file itself. */
  fileSizeBytes: number;
  clusterBytes: number;
  /** Of those clusters that are compressed. */
  compression: Compression;
  extendedL2: boolean;
  /** Internal snapshots in the file; the active disk is read, never a snapshot. */
  snapshots: number;
  dirty: boolean;
  corrupt: boolean;
}

/** A run of the virtual disk, in bytes. `zero` runs read as zeros; a `data` run may. */
export interface Qcow2Extent {
  kind: "data" | "zero";
  position: number;
  length: number;
}

export type OpenOptions = HeaderPolicy;

/** Enough to keep libuv's four threads busy. */
const clustersAtWork = 8;

/**
 * Opens a qcow2 image: checks the header and the L1 table, and refuses what this file alone does not hold.
 * A source that is passed in is closed by `image.close()`, or here if the image is refused.
 * @throws Qcow2Error; Qcow2ErrorCode lists the reasons
 */
export async function openQcow2(file: string | Qcow2Source, options: OpenOptions = {}): Promise<Qcow2Image> {
  const source = typeof file === "string" ? await openFileSource(file) : file;
  try {
    const header = await readHeader(source, options);
    return new Qcow2Image(source, header, await MappingTables.load(source, header));
  } catch (error) {
    await source.close();
    throw error;
  }
}

export class Qcow2Image {
  readonly info: Readonly<Qcow2Info>;
  /** For those who read the file by themselves, as convertToRaw's threads do. */
  readonly layout: Qcow2Layout;
  readonly #source: Qcow2Source;
  readonly #header: Qcow2Header;
  readonly #tables: MappingTables;

  constructor(source: Qcow2Source, header: Qcow2Header, tables: MappingTables) {
    const { version, virtualSizeBytes, clusterBytes, compression, extendedL2, snapshots, dirty, corrupt } = header;
    const fileSizeBytes = source.sizeBytes;
    this.info = {
      version,
      virtualSizeBytes,
      fileSizeBytes,
      clusterBytes,
      compression,
      extendedL2,
      snapshots,
      dirty,
      corrupt,
    };
    this.layout = { fileDescriptor: source.fileDescriptor, fileSizeBytes, header, l2Offsets: tables.l2Offsets };
    this.#source = source;
    this.#header = header;
    this.#tables = tables;
  }

  /**
   * Reads a range of the virtual disk, its clusters side by side. Memory: the range, and a few clusters more for each
   * at work.
   * @throws Qcow2Error `out-of-range`, and what a damaged image deserves
   */
  async read(position: number, length: number): Promise<Buffer> {
    const end = position + length;
    const isRange = Number.isSafeInteger(position) && Number.isSafeInteger(length) && position >= 0 && length >= 0;
    if (!isRange || end > this.info.virtualSizeBytes) {
      throw new Qcow2Error("out-of-range", `reading ${length} bytes at ${position} of ${this.info.virtualSizeBytes}`);
    }
    const pieces: Piece[] = [];
    for await (const piece of this.#pieces(position, end)) pieces.push(piece);
    const buffer = Buffer.alloc(length);
    const queue = pieces.values();
    const work = async () => {
      for (const piece of queue) {
        const offset = piece.position - position;
        await this.#readPiece(piece, buffer.subarray(offset, offset + piece.length));
      }
    };
    await Promise.all(Array.from({ length: clustersAtWork }, work));
    return buffer;
  }

  /** The whole virtual disk in order, as the longest runs of one kind. */
  async *extents(): AsyncGenerator<Qcow2Extent, void, undefined> {
    let run: Qcow2Extent | undefined;
    for await (const { kind, position, length } of this.#pieces(0, this.info.virtualSizeBytes)) {
      const next: Qcow2Extent = { kind: kind === "zero" ? "zero" : "data", position, length };
      if (run?.kind === next.kind) {
        run.length += length;
      } else {
        if (run) yield run;
        run = next;
      }
    }
    if (run) yield run;
  }

  async close(): Promise<void> {
    await this.#source.close();
  }

  async *#pieces(start: number, end: number): AsyncGenerator<Piece, void, undefined> {
    const tableReach = this.#header.l2Entries * this.#header.clusterBytes;
    for (let position = start; position < end; ) {
      const index = Math.floor(position / tableReach);
      const tablePosition = index * tableReach;
      const range = { start: position, end: Math.min(end, tablePosition + tableReach) };
      const table = await this.#tables.l2Table(index);
      if (table) yield* piecesOfTable(this.#header, table, tablePosition, range);
      else yield { kind: "zero", position, length: range.end - position };
      position = range.end;
    }
  }

  async #readPiece(piece: Piece, target: Buffer): Promise<void> {
    if (piece.kind === "zero") return;
    const what = `the cluster of guest byte ${piece.position}`;
    if (piece.kind === "stored") return fill(this.#source, target, piece.hostOffset, what);
    // The last sector may lie beyond the end of the file, in part or wholly: writers do not pad it.
    assertInside(this.#source, piece.hostOffset, 1, what);
    const bytes = Buffer.allocUnsafe(Math.min(piece.hostLength, this.#source.sizeBytes - piece.hostOffset));
    await fill(this.#source, bytes, piece.hostOffset, what);
    const cluster = await decompressCluster(this.#header.compression, bytes, this.#header.clusterBytes);
    cluster.copy(target, 0, piece.skip, piece.skip + piece.length);
    release(cluster);
  }
}
