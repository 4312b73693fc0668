import { readFile, realpath, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Advance } from "../../common/event.ts";
import { Failure } from "../../common/failure.ts";

const pollMs = 500;
const sectorBytes = 512;

/**
 * Lets arrays make their members equal at full speed, and returns when they are. Of arrays that share disks one waits
 * for the other; each counts until it is done.
 * @param paths of assembled arrays, such as /dev/md/root
 * @throws Failure `array-degraded` (failed): a member was lost, and there is nothing to wait for
 */
export async function waitForSync(paths: readonly string[], advance: Advance, signal: AbortSignal): Promise<void> {
  const arrays = await Promise.all(paths.map(async (path) => `/sys/block/${basename(await realpath(path))}/md`));
  // KiB a second and member; the kernel's own limit is for systems that have other things to do.
  await Promise.all(arrays.map((array) => writeFile(`${array}/sync_speed_min`, "4000000")));
  const totals = new Map<string, number>();
  for (;;) {
    const states = await Promise.all(arrays.map(readSync));
    for (const [index, { totalBytes, isDegraded }] of states.entries()) {
      if (isDegraded) throw degraded(paths[index] ?? "");
      if (totalBytes > 0) totals.set(arrays[index] ?? "", totalBytes);
    }
    if (states.every(({ isDone }) => isDone)) return;
    const doneBytes = states.map(({ isDone, doneBytes: done }, index) =>
      isDone ? (totals.get(arrays[index] ?? "") ?? 0) : done,
    );
    advance(sum(doneBytes), sum([...totals.values()]));
    await setTimeout(pollMs, undefined, { signal });
  }
}

/** Documentation/admin-guide/md.rst: `sync_completed` is "none", "delayed" or "DONE / ALL" in sectors. */
async function readSync(array: string) {
  const read = async (name: string) => (await readFile(`${array}/${name}`, "utf8")).trim();
  const [action, completed, start, missing] = await Promise.all([
    read("sync_action"),
    read("sync_completed"),
    read("resync_start"),
    read("degraded"),
  ]);
  const [done = 0, total = 0] = completed.split(" / ").map(Number).filter(Number.isFinite);
  return {
    isDone: action === "idle" && start === "none",
    isDegraded: missing !== "0",
    doneBytes: done * sectorBytes,
    totalBytes: total * sectorBytes,
  };
}

function degraded(path: string): Failure {
  return new Failure({
    code: "array-degraded",
    kind: "failed",
    message: `making the members of ${path} equal: one of them failed`,
    hint: `see \`mdadm --detail ${path}\` and the kernel's messages; replace the disk`,
  });
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
