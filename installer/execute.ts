import { mkdir } from "node:fs/promises";
import { type Advance, type Emit, type Event, note, reportOperation, reportStep } from "../common/event.ts";
import { eventStream } from "../common/event-stream.ts";
import { Failure } from "../common/failure.ts";
import { withLock } from "../common/file-lock.ts";
import { endLeftPrograms } from "../common/left-programs.ts";
import { checkRoot } from "../common/root.ts";
import { run } from "../common/run.ts";
import { formatDuration } from "../common/units.ts";
import { copyEsp } from "./boot/copy-esp.ts";
import { writeGrubDefaults } from "./boot/edit-grub-defaults.ts";
import { runInTarget } from "./boot/fence.ts";
import { fillEsp } from "./boot/fill-esp.ts";
import { writeFirmwareEntries } from "./boot/firmware-entries.ts";
import { loadKernel, startKernel } from "./boot/kexec.ts";
import { labelFiles } from "./boot/label-files.ts";
import { writeBlsEntries } from "./boot/write-bls-entries.ts";
import { writeLoaderType } from "./boot/write-loader-type.ts";
import { checkDisks, checkPrograms } from "./checks.ts";
import { writeConfigDrive } from "./config-drive/write.ts";
import { DiskWatch } from "./disk-faults.ts";
import { explainFailure } from "./explain-failure.ts";
import { runHook } from "./hooks/run-hook.ts";
import { Journal } from "./journal.ts";
import { layImage } from "./lay-image.ts";
import { layTree } from "./lay-tree.ts";
import { editIni } from "./license/edit-ini.ts";
import { register } from "./license/register.ts";
import type { Plan } from "./plan.ts";
import { noteOutput } from "./program-output.ts";
import { cleanUp, type OnFailure } from "./release.ts";
import { runDirectory } from "./run-directory.ts";
import type { Step } from "./step.ts";
import { arraysMadeBy, checkArrays, type PlannedArray } from "./storage/check-arrays.ts";
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
 * a failure. An array that loses a disk is a failure, too.
 * @throws Failure of the step that failed; `disk-failed`, `array-degraded` (failed) where a disk is the cause,
 *   `no-space-left` (configuration); `installation-running` (refused) while another one runs on this machine;
 *   `programs-left` (refused)
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
      await endLeftPrograms("installing", signal);
      await checkPrograms(plan.steps);
      const surroundings = { onFailure: options.onFailure ?? "clean", journal, tell, signal };
      await alone(signal, () => withoutAutoAssembly(() => carryOut(plan, surroundings)));
    });
  });
}

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
  await using watch = await DiskWatch.start(plan.disks);
  try {
    for (const step of plan.steps) {
      if (step.name === "release") await journal.leaveTarget();
      begun.push(step);
      await executeStep(step, { arrays: arraysMadeBy(begun, plan.arrays), target: plan.target, watch, tell, signal });
      if (step.kind === "lay-image" || step.kind === "lay-tree") await journal.followInto(plan.target);
    }
  } catch (error) {
    await journal.leaveTarget();
    await cleanUp(plan, begun, onFailure, tell);
    throw error;
  }
}

interface Execution {
  /** Those that have been made. */
  arrays: readonly PlannedArray[];
  target: string;
  watch: DiskWatch;
  tell: Emit;
  signal: AbortSignal;
}

async function executeStep(step: Step, { arrays, target, watch, tell, signal }: Execution): Promise<void> {
  await reportStep(tell, { step: step.name, title: step.title }, async (advance) => {
    try {
      signal.throwIfAborted();
      await carryOutStep(step, { arrays, advance, tell, signal });
      await checkArrays(arrays);
    } catch (error) {
      throw await explainFailure(error, { doing: step.title, watch, target });
    }
  });
}

type StepSurroundings = Pick<Execution, "arrays" | "tell" | "signal"> & { advance: Advance };

async function carryOutStep(step: Step, { arrays, advance, tell, signal }: StepSurroundings): Promise<void> {
  const options = { doing: step.title, signal };
  const onLine = noteOutput(tell, step.name);
  switch (step.kind) {
    case "commands":
      for (const [program, ...args] of step.commands) {
        await run(program, args, options);
        // Before the array is stopped, and nobody sees any more what it has lost.
        await checkArrays(arrays);
      }
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
      return layImage(step, advance, signal, (failure, pauseMs) =>
        note(tell, `${failure.message}; trying again in ${formatDuration(pauseMs)}`),
      );
    case "lay-tree":
      return layTree(step, advance, signal);
    case "write-files":
      return writeFiles(step.target, step.files);
    case "fill-esp":
      return fillEsp(step, options);
    case "copy-esp":
      return copyEsp(step, options);
    case "run-in-target":
      return runInTarget(step, { ...options, onLine });
    case "hook":
      return runHook(step, { signal, onLine });
    case "edit-ini":
      return editIni(step);
    case "register":
      return register(step, { signal, onLine });
    case "grub-defaults":
      return writeGrubDefaults(step);
    case "loader-type":
      return writeLoaderType(step);
    case "bls-entries":
      return writeBlsEntries(step);
    case "label-files":
      return labelFiles(step, { ...options, onLine });
    case "load-kernel":
      return loadKernel(step, options, (text) => note(tell, text));
    case "start-kernel":
      return startKernel(options);
    case "firmware-entries":
      return writeFirmwareEntries(step, options);
  }
}
