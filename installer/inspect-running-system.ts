import { readFile, stat } from "node:fs/promises";
import { z } from "zod";
import { parseMountTable } from "../common/mount-table.ts";
import { run } from "../common/run.ts";
import type { BlockDevice } from "./block-device.ts";
import { findRunningSystem, layersOf, type RunningSystem } from "./running-system.ts";

/** Looks what the running system lies on. `devices`: all of the machine's; `pools`: see `readPools`. */
export async function inspectRunningSystem(
  devices: readonly BlockDevice[],
  pools: readonly (readonly string[])[],
  signal?: AbortSignal,
): Promise<RunningSystem> {
  const mounts = parseMountTable(await readFile("/proc/self/mountinfo", "utf8"));
  const rootNumbers = await Promise.all(["/", "/usr", process.execPath].map(deviceNumberOf));
  const layers = mounts.filter(({ type }) => type === "overlay").flatMap(layersOf);
  const layerNumbers = await Promise.all(layers.map(async (path) => [path, await deviceNumberOf(path)] as const));
  return findRunningSystem({
    mounts,
    rootNumbers: rootNumbers.filter((number) => number !== undefined),
    layerNumbers: new Map(layerNumbers.flatMap(([path, number]) => (number === undefined ? [] : [[path, number]]))),
    loopNumbers: await readLoopNumbers(devices, signal),
    deviceNumbers: new Map(devices.map(({ path, number }) => [path, number])),
    pools,
  });
}

/** @returns "8:1", or undefined where there is no such path */
async function deviceNumberOf(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  if (!found) return undefined;
  // makedev(3): both parts are spread over the 64 bits.
  const { dev } = found;
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n);
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}

const losetupSchema = z.object({ loopdevices: z.array(z.object({ name: z.string(), "back-maj:min": z.string() })) });

async function readLoopNumbers(devices: readonly BlockDevice[], signal?: AbortSignal): Promise<Map<string, string>> {
  const loops = devices.filter(({ type }) => type === "loop");
  if (loops.length === 0) return new Map();
  const { stdout } = await run("losetup", ["--list", "--json", "--output", "NAME,BACK-MAJ:MIN"], {
    doing: "listing the loop devices",
    ...(signal && { signal }),
  });
  const { loopdevices } = losetupSchema.parse(JSON.parse(stdout || '{ "loopdevices": [] }'));
  return new Map(
    loopdevices.flatMap((loop) => {
      const number = loops.find(({ path }) => path === loop.name)?.number;
      return number === undefined ? [] : [[number, loop["back-maj:min"].replaceAll(" ", "")]];
    }),
  );
}
