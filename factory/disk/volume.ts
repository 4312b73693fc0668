import { Failure } from "../../common/failure.ts";
import { type BlockSource, sliceSource } from "./block-source.ts";
import type { FileSystem } from "./file-system.ts";
import { type LogicalVolume, readLogicalVolumes } from "./lvm.ts";
import type { Partition } from "./partition.ts";
import { type PartitionTable, readPartitionTable } from "./partition-table.ts";
import { recognizeFileSystem } from "./recognize.ts";

/** What can hold a file system: a partition, a logical volume, or a disk without partitions. */
export interface Volume {
  /** "partition 1", "disk", or "GROUP/VOLUME". */
  name: string;
  sizeBytes: number;
  fileSystem: FileSystem;
  partition?: Partition;
  logical?: LogicalVolume;
  /** Its pieces on the disk, in order: one for a partition, mostly one for a logical volume. */
  pieces: readonly { offsetBytes: number; sizeBytes: number }[];
}

/**
 * Finds every volume of a disk, and what each holds.
 * @returns partitions in the order of their place, each physical volume followed by its logical ones
 * @throws Failure `too-many-volumes` (integrity), those of `readPartitionTable` and `readLogicalVolumes`
 */
export async function findVolumes(disk: BlockSource): Promise<{ table: PartitionTable["kind"]; volumes: Volume[] }> {
  const { kind, partitions } = await readPartitionTable(disk);
  assertFew(partitions.length);
  const volumes: Volume[] = [];
  for (const partition of partitions) {
    const { number, offsetBytes, sizeBytes } = partition;
    const source = sliceSource(disk, offsetBytes, sizeBytes);
    const fileSystem = await recognizeFileSystem(source);
    const name = number === 0 ? "disk" : `partition ${number}`;
    volumes.push({ name, sizeBytes, fileSystem, partition, pieces: [{ offsetBytes, sizeBytes }] });
    if (fileSystem.kind !== "lvm2") continue;
    const logicals = await readLogicalVolumes(source);
    assertFew(volumes.length + logicals.length);
    for (const logical of logicals) {
      volumes.push(await describeLogical(source, offsetBytes, logical));
    }
  }
  return { table: kind, volumes };
}

/** Far more than any image has. Each is looked into, perhaps mounted. */
const maximumVolumes = 100;

function assertFew(count: number): void {
  if (count <= maximumVolumes) return;
  throw new Failure({
    code: "too-many-volumes",
    kind: "integrity",
    message: `reading a disk: it has ${count} volumes, and no image has more than ${maximumVolumes}`,
    hint: "the image is damaged or was made to mislead: get it again from its vendor",
  });
}

async function describeLogical(physical: BlockSource, start: number, logical: LogicalVolume): Promise<Volume> {
  const { name, sizeBytes, extents, unreadable } = logical;
  const pieces = extents.map((extent) => ({ ...extent, offsetBytes: start + extent.offsetBytes }));
  const fileSystem: FileSystem =
    unreadable === undefined
      ? await recognizeFileSystem(joinPieces(physical, extents, sizeBytes))
      : { kind: "unknown", uuid: "", label: "", unreadable };
  return { name, sizeBytes, fileSystem, logical, pieces };
}

/** A logical volume as one source, wherever its pieces lie. */
function joinPieces(source: BlockSource, pieces: Volume["pieces"], sizeBytes: number): BlockSource {
  const read = async (offset: number, length: number): Promise<Buffer> => {
    const parts: Buffer[] = [];
    let start = 0;
    for (const piece of pieces) {
      const from = Math.max(offset, start);
      const to = Math.min(offset + length, start + piece.sizeBytes);
      if (from < to) parts.push(await source.read(piece.offsetBytes + from - start, to - from));
      start += piece.sizeBytes;
    }
    return Buffer.concat(parts);
  };
  return { sizeBytes, read };
}
