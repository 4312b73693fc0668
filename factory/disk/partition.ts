import { Failure } from "../../common/failure.ts";

export interface Partition {
  /** Counted from 1, as in /dev/sda1; 0 is a whole disk without a table. */
  number: number;
  /** GPT: the type's GUID in upper case. MBR: its byte, as in "0x83". Whole disk: empty. */
  type: string;
  /** The GPT's own name of the partition; empty elsewhere. */
  name: string;
  /** What udev calls PARTUUID, in lower case; empty for a whole disk. */
  uuid: string;
  /** GPT: which bits of its attributes are set. */
  attributeBits: readonly number[];
  offsetBytes: number;
  sizeBytes: number;
}

/** Sorts partitions by their place. @throws Failure `partition-table-invalid` where two overlap */
export function sortApart(partitions: readonly Partition[]): Partition[] {
  const sorted = partitions.toSorted((a, b) => a.offsetBytes - b.offsetBytes);
  let end = 0;
  for (const { number, offsetBytes, sizeBytes } of sorted) {
    if (offsetBytes < end) throw invalidTable(`partition ${number} overlaps another`);
    end = offsetBytes + sizeBytes;
  }
  return sorted;
}

export function invalidTable(reason: string): Failure {
  return new Failure({
    code: "partition-table-invalid",
    kind: "integrity",
    message: `reading the partition table: ${reason}`,
    hint: "the image is damaged or was made to mislead: get it again from its vendor",
  });
}
