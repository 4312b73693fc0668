import { type BlockSource, readUpTo } from "./block-source.ts";
import { gptSignature, readGpt } from "./gpt.ts";
import { readMasterBootRecord, readMbr } from "./mbr.ts";
import { invalidTable, type Partition } from "./partition.ts";

export interface PartitionTable {
  /** "none": the whole disk is one file system, and the one partition, number 0, is all of it. */
  kind: "gpt" | "mbr" | "none";
  partitions: Partition[];
}

/**
 * Reads a disk's partition table, of whichever kind: a GPT with sectors of 512 or 4,096 bytes, an MBR, or none.
 * A GPT counts only behind a protective MBR (UEFI specification 2.10, 5.2.3); a disk with a GPT and no such MBR would
 * be read one way by one program and another way by the next, and is refused.
 * @returns partitions in the order of their place on the disk; none overlap, all lie inside the disk
 * @throws Failure `partition-table-invalid` (integrity)
 */
export async function readPartitionTable(disk: BlockSource): Promise<PartitionTable> {
  const record = await readMasterBootRecord(disk);
  const gptSectorBytes = await findGpt(disk);
  if (record?.protective) {
    if (gptSectorBytes === undefined) throw invalidTable("its MBR announces a GUID partition table, and there is none");
    return { kind: "gpt", partitions: await readGpt(disk, gptSectorBytes) };
  }
  if (gptSectorBytes !== undefined) throw invalidTable("it has a GUID partition table without a protective MBR");
  if (record) return { kind: "mbr", partitions: await readMbr(disk, record) };
  return { kind: "none", partitions: [wholeDisk(disk)] };
}

async function findGpt(disk: BlockSource): Promise<number | undefined> {
  for (const sectorBytes of [512, 4096]) {
    const signature = await readUpTo(disk, sectorBytes, gptSignature.length);
    // The header and one sector of entries have to fit.
    if (signature.toString("latin1") === gptSignature && disk.sizeBytes >= 3 * sectorBytes) return sectorBytes;
  }
  return undefined;
}

function wholeDisk({ sizeBytes }: BlockSource): Partition {
  return { number: 0, type: "", name: "", uuid: "", attributeBits: [], offsetBytes: 0, sizeBytes };
}
