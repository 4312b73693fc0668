import { readdirSync, readFileSync } from "node:fs";

const pageBytes = 4096;
const intervalMs = 20;

export interface MemoryWatch {
  /** @returns the peak in bytes */
  stop(): number;
}

/**
 * Watches the memory of all processes that this one starts from now on, and of theirs: the sum of their resident sets
 * every 20 ms, of which the highest counts. So a pipeline counts as a whole; a page that two processes share counts
 * twice, and a peak between two looks is missed.
 */
export function watchMemory(): MemoryWatch {
  const earlier = new Set(children(process.pid));
  let peakBytes = 0;
  const look = () => {
    const started = children(process.pid).filter((child) => !earlier.has(child));
    peakBytes = Math.max(peakBytes, residentBytes(started));
  };
  const timer = setInterval(look, intervalMs);
  return {
    stop() {
      clearInterval(timer);
      return peakBytes;
    },
  };
}

function residentBytes(processes: readonly number[]): number {
  let sum = 0;
  for (const id of processes) {
    // The second number of statm is the resident set in pages (proc(5)).
    const [, resident = "0"] = read(`/proc/${id}/statm`).split(" ");
    sum += Number(resident) * pageBytes + residentBytes(children(id));
  }
  return sum;
}

/** Threads have their children each (proc(5), /proc/pid/task/tid/children). */
function children(id: number): number[] {
  return threads(id).flatMap((thread) =>
    read(`/proc/${id}/task/${thread}/children`).split(" ").filter(Boolean).map(Number),
  );
}

function threads(id: number): string[] {
  try {
    return readdirSync(`/proc/${id}/task`);
  } catch {
    return [];
  }
}

/** Processes come and go between two looks. */
function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
