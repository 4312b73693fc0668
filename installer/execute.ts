import { mkdir } from "node:fs/promises";
import { type Emit, type Event, note, reportOperation, reportStep } from "../common/event.ts";
import { eventStream } from "../common/event-stream.ts";
import { Failure } from "../common/failure.ts";
import { withLock } from "../common/file-lock.ts";
import { checkRoot } from "../common/root.ts";
import { run } from "../common/run.ts";
import { runInTarget } from "./boot/fence.ts";
import { fillEsp } from "./boot/fill-esp.ts";
import { writeFirmwareEntries } from "./boot/firmware-entries.ts";
import { checkDisks, checkPrograms } from "./checks.ts";
import { writeConfigDrive } from "./config-drive/write.ts";
import { Journal } from "./journal.ts";
import { layImage } from "./lay-image.ts";
import { layTree } from "./lay-tree.ts";
import type { Plan } from "./plan.ts";
import { cleanUp, type OnFailure } from "./release.ts";
import type { Step } from "./step.ts";
import { openEncrypted } from "./storage/open-encrypted.ts";
import { waitForSync } from "./storage/wait-for-sync.ts";
import { withoutAutoAssembly } from "./wipe/auto-assembly.ts";
import { runTakeApart, runWipe } from "./wipe/run-wipe.ts";
import { writeFiles } from "./write-files.ts";

export interface ExecuteOptions {
  signal?: AbortSignal;
  /** Default: clean. */
  onFailure?: OnFailure;
  /** A file that keeps the events. Default: /var/log/metalcast/install.jsonl */
  journal?: string;
}

/**
 * Carries a plan out, step by step, and yields what happens. The stream ends after `operation-finished`; a failure is
 * yielded as an event, then thrown. Before the first step that writes, it checks for root, for every program that the
 * plan names, and that the disks are still those of the plan and free. Nothing boots before all else is done, nor after
 * a failure.
 * @throws Failure of the step that failed; `installation-running` (refused) while another one runs on this machine
 */
export function execute(plan: Plan, options: ExecuteOptions = {}): AsyncGenerator<Event, void> {
  return eventStream(async (emit, abandoned) => {
    const signal = options.signal ? AbortSignal.any([options.signal, abandoned]) : abandoned;
    await using journal = await Journal.open((message) => note(emit, message), options.journal);
    const tell: Emit = (event) => {
      journal.write(event);
      emit(event);
    };
    const subject = `${plan.image} as ${plan.hostname}`;
    await reportOperation(tell, { operation: "installation", subject }, async () => {
      checkRoot("installing");
      for (const warning of plan.warnings) note(tell, warning);
      await checkPrograms(plan.steps);
      const surroundings = { onFailure: options.onFailure ?? "clean", journal, tell, signal };
      await alone(signal, () => withoutAutoAssembly(() => carryOut(plan, surroundings)));
    });
  });
}

const runDirectory = "/run/metalcast";

async function alone(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  const ifHeld = () =>
    new Failure({
      code: "installation-running",
      kind: "refused",
      message: "installing: another installation is running on this machine",
      hint: "wait for it, or end it",
    });
  await mkdir(runDirectory, { recursive: true });
  await withLock(`${runDirectory}/install.lock`, work, { ifHeld, signal });
}

interface Surroundings {
  onFailure: OnFailure;
  journal: Journal;
  tell: Emit;
  signal: AbortSignal;
}

async function carryOut(plan: Plan, { onFailure, journal, tell, signal }: Surroundings): Promise<void> {
  const begun: Step[] = [];
  try {
    for (const step of plan.steps) {
      if (step.name === "release") await journal.leaveTarget();
      begun.push(step);
      await executeStep(step, tell, signal);
      if (step.kind === "lay-image" || step.kind === "lay-tree") await journal.followInto(plan.target);
    }
  } catch (error) {
    await journal.leaveTarget();
    await cleanUp(plan, begun, onFailure, tell);
    throw error;
  }
}

async function executeStep(step: Step, emit: Emit, signal: AbortSignal): Promise<void> {
  const options = { doing: step.title, signal };
  await reportStep(emit, { step: step.name, title: step.title }, async (advance) => {
    signal.throwIfAborted();
    switch (step.kind) {
      case "commands":
        for (const [program, ...args] of step.commands) await run(program, args, options);
        return;
      case "encrypt":
        return openEncrypted(step, options);
      case "sync-arrays":
        return waitForSync(step.arrays, advance, signal);
      case "check-disks":
        return checkDisks(step);
      case "take-apart":
        return runTakeApart(step, { advance, signal });
      case "wipe":
        return runWipe(step, { advance, signal });
      case "config-drive":
        return writeConfigDrive(step, signal);
      case "lay-image":
        return layImage(step, advance, signal);
      case "lay-tree":
        return layTree(step, advance, signal);
      case "write-files":
        return writeFiles(step.target, step.files);
      case "fill-esp":
        return fillEsp(step, options);
      case "run-in-target":
        return runInTarget(step, options);
      case "firmware-entries":
        return writeFirmwareEntries(step, options);
    }
  });
}
