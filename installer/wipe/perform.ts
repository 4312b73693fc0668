import { writeFile } from "node:fs/promises";
import type { Advance } from "../../common/event.ts";
import { asFailure, type Failure } from "../../common/failure.ts";
import { type RunOptions, run } from "../../common/run.ts";
import type { WipeAction } from "./action.ts";

/** How `perform` runs. */
export type PerformOptions = Pick<RunOptions, "doing"> & { signal: AbortSignal; advance: Advance };

/**
 * Does one thing after the other, those after a failed one too: whether what was to go is gone, the next look decides.
 * None of them is forced, so that one whose predecessor failed finds its device in use and fails as well.
 * @returns what failed first
 */
export async function perform(actions: readonly WipeAction[], options: PerformOptions): Promise<Failure | undefined> {
  let first: Failure | undefined;
  for (const action of actions) {
    options.signal.throwIfAborted();
    try {
      await performOne(action, options);
    } catch (error) {
      options.signal.throwIfAborted();
      first ??= asFailure(error, options.doing);
    }
  }
  return first;
}

async function performOne(action: WipeAction, { doing, signal, advance }: PerformOptions): Promise<void> {
  switch (action.kind) {
    case "run": {
      const [program, ...args] = action.command;
      await run(program, args, { doing, signal });
      return;
    }
    case "set":
      return writeFile(action.path, action.value);
    case "zero-disk":
      return zeroDisk(action, { doing, signal, advance });
  }
}

const chunkBytes = 256 * 2 ** 20;

/**
 * Chunk by chunk, for progress and interruption. The kernel has the drive write the zeros where that can
 * (ioctl BLKZEROOUT), and writes them itself else.
 */
async function zeroDisk(
  { path, sizeBytes }: Extract<WipeAction, { kind: "zero-disk" }>,
  { doing, signal, advance }: PerformOptions,
): Promise<void> {
  for (let offset = 0; offset < sizeBytes; offset += chunkBytes) {
    const length = Math.min(chunkBytes, sizeBytes - offset);
    const range = ["--offset", String(offset), "--length", String(length)];
    await run("blkdiscard", ["--zeroout", ...range, path], { doing, signal });
    advance(offset + length, sizeBytes);
  }
}
