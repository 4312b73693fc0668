import { readdir, readFile } from "node:fs/promises";
import type { BlockDevice } from "./block-device.ts";

/** The device numbers ("8:1") of each btrfs that is mounted. One over several disks shows as mounted from one only. */
export async function readPools(): Promise<string[][]> {
  const directory = "/sys/fs/btrfs";
  const pools = await readdir(directory).catch(() => []);
  const members = pools.map(async (pool) => {
    const names = await readdir(`${directory}/${pool}/devices`).catch(() => []);
    const numbers = names.map((name) => readFile(`${directory}/${pool}/devices/${name}/dev`, "utf8").catch(() => ""));
    return (await Promise.all(numbers)).map((number) => number.trim()).filter((number) => number !== "");
  });
  return (await Promise.all(members)).filter((numbers) => numbers.length > 0);
}

/** @returns where the btrfs is mounted that a device belongs to, by number, for devices that do not show it themselves */
export function findPoolMounts(
  pools: readonly (readonly string[])[],
  devices: readonly BlockDevice[],
): Map<string, string> {
  const mounts = new Map<string, string>();
  for (const pool of pools) {
    const members = devices.filter(({ number }) => pool.includes(number));
    const [point] = members.flatMap(({ mountPoints }) => mountPoints);
    if (point === undefined) continue;
    for (const { number, mountPoints } of members) if (mountPoints.length === 0) mounts.set(number, point);
  }
  return mounts;
}
