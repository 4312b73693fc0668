import { type Emit, type Event, reportOperation, reportStep } from "../common/event.ts";
import { eventStream } from "../common/event-stream.ts";
import { checkRoot } from "../common/root.ts";
import { run } from "../common/run.ts";
import { runInTarget } from "./boot/fence.ts";
import { writeFirmwareEntries } from "./boot/firmware-entries.ts";
import { checkDisks, checkPrograms } from "./checks.ts";
import { writeConfigDrive } from "./config-drive/write.ts";
import { layImage } from "./lay-image.ts";
import { layTree } from "./lay-tree.ts";
import type { Plan } from "./plan.ts";
import { releaseTarget } from "./release.ts";
import type { Step } from "./step.ts";
import { writeFiles } from "./write-files.ts";

export interface ExecuteOptions {
  signal?: AbortSignal;
}

/**
 * Carries a plan out, step by step, and yields what happens. The stream ends after `operation-finished`; a failure is
 * yielded as an event, then thrown. Before the first step that writes, it checks for root, for every program that the
 * plan names, and that the disks are still those of the plan and free.
 * @throws Failure of the step that failed; the target is then unmounted and its arrays are stopped
 */
export function execute(plan: Plan, options: ExecuteOptions = {}): AsyncGenerator<Event, void> {
  return eventStream((emit, abandoned) => {
    const signal = options.signal ? AbortSignal.any([options.signal, abandoned]) : abandoned;
    return reportOperation(
      emit,
      { operation: "installation", subject: `${plan.image} as ${plan.hostname}` },
      async () => {
        checkRoot("installing");
        await checkPrograms(plan.steps);
        try {
          for (const step of plan.steps) await executeStep(step, emit, signal);
        } catch (error) {
          await releaseTarget(plan, emit);
          throw error;
        }
      },
    );
  });
}

async function executeStep(step: Step, emit: Emit, signal: AbortSignal): Promise<void> {
  const options = { doing: step.title, signal };
  await reportStep(emit, { step: step.name, title: step.title }, async (advance) => {
    signal.throwIfAborted();
    switch (step.kind) {
      case "commands":
        for (const [program, ...args] of step.commands) await run(program, args, options);
        return;
      case "check-disks":
        return checkDisks(step.disks);
      case "config-drive":
        return writeConfigDrive(step, signal);
      case "lay-image":
        return layImage(step, advance, signal);
      case "lay-tree":
        return layTree(step, advance, signal);
      case "write-files":
        return writeFiles(step.target, step.files);
      case "run-in-target":
        return runInTarget(step, options);
      case "firmware-entries":
        return writeFirmwareEntries(step.entries, options);
    }
  });
}
