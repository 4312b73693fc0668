import { realpath, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { listFolder, readWord } from "./system-file.ts";

/**
 * The whole disks that a folder's file system lies on, through md, LVM and LUKS, as kernel names: sda, nvme0n1. Of one
 * without a device of its own (btrfs, tmpfs) none shows.
 */
export async function findUnderlyingDisks(folder: string): Promise<string[]> {
  const { dev } = await stat(folder);
  return [...new Set(await descend(`/sys/dev/block/${numberOf(dev)}`))].sort();
}

/** As glibc's gnu_dev_major and gnu_dev_minor take a number apart. */
function numberOf(dev: number): string {
  const number = BigInt(dev);
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & ~0xfffn);
  const minor = (number & 0xffn) | ((number >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}

async function descend(link: string): Promise<string[]> {
  const place = await realpath(link).catch(() => undefined);
  if (place === undefined) return [];
  if ((await readWord(`${place}/partition`)) !== "") return [basename(dirname(place))];
  const members = await listFolder(`${place}/slaves`);
  if (members.length === 0) return [basename(place)];
  return (await Promise.all(members.map((member) => descend(`${place}/slaves/${member}`)))).flat();
}
