import { asFailure } from "../../common/failure.ts";
import { run } from "../../common/run.ts";

/** Names of features that the rescue system's own mkfs knows. Later versions know more, and refuse what they don't know. */
export interface MkfsFeatures {
  xfs: readonly string[];
  btrfs: readonly string[];
}

/** Asks mkfs.xfs and mkfs.btrfs. One that is not installed knows nothing. */
export async function readMkfsFeatures(signal?: AbortSignal): Promise<MkfsFeatures> {
  const [xfs, btrfs] = await Promise.all([
    // Its usage is an answer by an error: mkfs.xfs(8) has no option for it.
    ask("mkfs.xfs", [], [1], signal),
    ask("mkfs.btrfs", ["-O", "list-all"], [0], signal),
  ]);
  return { xfs: parseXfsUsage(xfs), btrfs: parseBtrfsFeatures(btrfs) };
}

async function ask(program: string, args: readonly string[], accept: readonly number[], signal?: AbortSignal) {
  const lines: string[] = [];
  const doing = `asking ${program} which features it knows`;
  try {
    // What is told may come on either stream.
    await run(program, args, { doing, accept, onLine: (line) => lines.push(line), ...(signal && { signal }) });
  } catch (error) {
    if (asFailure(error, doing).code !== "programs-missing") throw error;
  }
  return lines.join("\n");
}

/** `[-i projid32bit=0|1,sparse=0|1]`: what can be switched. */
export function parseXfsUsage(usage: string): string[] {
  return [...usage.matchAll(/([a-z][a-z0-9-]*)=0\|1/g)].map(([, name = ""]) => name);
}

/** `no-holes            - no explicit hole extents for files (compat=3.14, safe=4.0, default=5.15)` */
export function parseBtrfsFeatures(list: string): string[] {
  return [...list.matchAll(/^([a-z][a-z0-9-]*) +- /gm)].map(([, name = ""]) => name);
}
