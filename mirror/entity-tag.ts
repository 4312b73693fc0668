import type { BigIntStats } from "node:fs";

/** Of a file in a directory store. It changes with the content: a file that is replaced gets a later time, or an inode. */
export function entityTag({ size, mtimeNs, ino }: BigIntStats): string {
  return `${mtimeNs.toString(36)}-${size.toString(36)}-${ino.toString(36)}`;
}
