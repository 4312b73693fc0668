import { type Command, Option } from "commander";
import { action, type Session } from "../common/command-line.ts";
import { endLeftPrograms } from "../common/left-programs.ts";
import { describeCommands, describePlan } from "./describe-plan.ts";
import { execute } from "./execute.ts";
import { discoverHardware } from "./hardware.ts";
import { loadJob } from "./job.ts";
import { plan } from "./plan.ts";
import type { OpenOwnImage } from "./plannable-image.ts";
import type { OnFailure } from "./release.ts";
import { resolveJobImage } from "./resolve-job-image.ts";
import { showDisks } from "./show-disks.ts";

/** What the factory does for jobs that name an image of their own. */
interface Factory {
  openOwnImage(reference: Parameters<OpenOwnImage>[0], options: Session): ReturnType<OpenOwnImage>;
}

/** The verbs of a server that is being installed. */
export function addInstallerCommands(program: Command, factory: Factory): void {
  program
    .command("disks [job]")
    .description("list this machine's disks and what holds them; with a job: which it takes, and why not the others")
    .action(action((session, _options, file) => showDisks(session, file)));
  program
    .command("plan <job>")
    .description("show what an installation would do, and touch nothing")
    .action(
      action(async (session, _options, file) => {
        await using planned = await makePlan(file, factory, session);
        session.print(planned.plan, describePlan(planned.plan));
      }),
    );
  program
    .command("install <job>")
    .description("install this machine: its disks are wiped")
    .option("--dry-run", "print every command and touch nothing")
    .addOption(
      new Option("--on-failure <what>", "leave the target mounted for a look, or clean up")
        .choices(["clean", "leave"])
        .default("clean"),
    )
    .action(
      action<{ dryRun?: boolean; onFailure: OnFailure }>(async (session, { dryRun, onFailure }, file) => {
        const { print, emit, signal } = session;
        // They hold disks, which could not be planned for.
        if (!dryRun) await endLeftPrograms("installing", signal);
        await using planned = await makePlan(file, factory, session);
        if (dryRun) return print(planned.plan, describeCommands(planned.plan));
        for await (const event of execute(planned.plan, { signal, onFailure })) emit(event);
      }),
    );
}

/** The image stays open as long as the plan may be carried out. */
async function makePlan(file: string, { openOwnImage }: Factory, session: Session) {
  const job = await loadJob(file);
  const hardware = await discoverHardware(session.signal);
  await using scope = new AsyncDisposableStack();
  const image = scope.use(
    await resolveJobImage(job, {
      openOwnImage: (reference) => openOwnImage(reference, session),
      signal: session.signal,
    }),
  );
  const made = plan(job, hardware, image);
  const held = scope.move();
  return { plan: made, [Symbol.asyncDispose]: () => held.disposeAsync() };
}
