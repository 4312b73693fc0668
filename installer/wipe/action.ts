import { formatCommand } from "../../common/run.ts";
import type { Command } from "../step.ts";

/** One thing done to take old storage apart. */
export type WipeAction =
  | { kind: "run"; command: Command }
  /** Writes a word to a file of sysfs. */
  | { kind: "set"; path: string; value: string }
  /** Writes zeros over all of a disk, with progress. */
  | { kind: "zero-disk"; path: string; sizeBytes: number };

/** The programs that these need besides blkdiscard. */
export function programsOf(actions: readonly WipeAction[]): string[] {
  return actions.flatMap((action) => (action.kind === "run" ? [action.command[0]] : []));
}

/** As a person would type it. */
export function formatAction(action: WipeAction): string {
  switch (action.kind) {
    case "run": {
      const [program, ...args] = action.command;
      return formatCommand(program, args);
    }
    case "set":
      return `echo ${action.value} > ${action.path}`;
    case "zero-disk":
      return formatCommand("blkdiscard", ["--zeroout", action.path]);
  }
}
