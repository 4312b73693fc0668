import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { Failure } from "../../common/failure.ts";
import { run } from "../../common/run.ts";
import { type ExecuteOptions, execute } from "../../installer/execute.ts";
import { discoverHardware } from "../../installer/hardware.ts";
import { journalPath } from "../../installer/journal.ts";
import { type Plan, plan } from "../../installer/plan.ts";
import type { Command, Step } from "../../installer/step.ts";
import { sampleImage, sampleJob } from "../installer/samples.ts";

/** Runs in the rescue system: lets installations fail once boot loaders are on the disks, and tells what is left. */
const tree = "/run/image";
const loader = `${tree}/boot/efi/EFI/BOOT/BOOTX64.EFI`;
const uuid = "11111111-2222-4333-8444-555555555555";
const doing = "looking";

await mkdir(dirname(loader), { recursive: true });
await writeFile(loader, "a loader\n");

const tell = (what: string, found: unknown) => process.stdout.write(`${what}: ${found}\n`);

tell("failed, clean", await attempt(failing(await makePlan(uuid)), {}));
await look("clean");
tell("failed, leave", await attempt(failing(await makePlan(uuid)), { onFailure: "leave" }));
await look("leave");
tell("another instance", await makePlan("99999999-2222-4333-8444-555555555555").then(() => "planned", codeOf));
const again = await makePlan(uuid);
tell("the same instance begins with", again.steps[1]?.name);
tell("a second one beside it", await runTwice(withoutImage(again)));
await look("again");

async function makePlan(instance: string): Promise<Plan> {
  const { facts } = sampleImage({ minimumDiskBytes: 2 ** 27, unpackedBytes: 2 ** 20 });
  const job = sampleJob({ instance: { hostname: "web-1", uuid: instance }, after: "nothing" });
  return plan(job, await discoverHardware(), { facts, content: { kind: "tree", path: tree } });
}

/** All steps but those that want an image's own programs. */
function withoutImage(made: Plan): Plan {
  return { ...made, steps: made.steps.filter(({ kind, name }) => kind !== "run-in-target" && name !== "configure") };
}

/** Boot code is written as grub-install would, and then something fails. */
function failing(made: Plan): Plan {
  const { steps } = withoutImage(made);
  const commands: Command[] = [
    ...made.loaders.map(
      ({ disk }): Command => ["dd", "if=/dev/urandom", `of=${disk}`, "bs=440", "count=1", "conv=notrunc,fsync"],
    ),
    ["false"],
  ];
  const failingStep: Step = { kind: "commands", name: "grub-bios", title: "fail", commands };
  return { ...made, steps: steps.flatMap((step) => (step.name === "release" ? [failingStep] : [step])) };
}

async function attempt(made: Plan, options: ExecuteOptions): Promise<string> {
  try {
    for await (const event of execute(made, options)) {
      if (event.kind === "note") tell("note", event.text);
    }
    return "no";
  } catch (error) {
    return codeOf(error);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Failure ? error.code : String(error);
}

async function runTwice(made: Plan): Promise<string> {
  let second = "never tried";
  for await (const event of execute(made)) {
    if (event.kind === "step-started" && event.step === "lay-image") second = await attempt(made, {});
  }
  return second;
}

async function look(when: string): Promise<void> {
  const mounts = (await readFile("/proc/mounts", "utf8")).split("\n").filter((line) => line.includes("/run/metalcast"));
  tell(`${when}, mounted`, mounts.map((line) => line.split(" ")[1]).join(" ") || "nothing");
  const arrays = (await readFile("/proc/mdstat", "utf8")).split("\n").filter((line) => line.startsWith("md"));
  tell(`${when}, arrays`, arrays.length);
  for (const disk of ["sda", "sdb"]) {
    const code = await run("sh", ["-c", `head -c 440 /dev/${disk} | tr -d '\\000' | wc -c`], { doing });
    const esp = await run("blkid", ["--probe", "--match-tag", "TYPE", "--output", "value", `/dev/${disk}2`], {
      doing,
      accept: [0, 2],
    });
    tell(
      `${when}, ${disk}`,
      `boot code ${code.stdout.trim() === "0" ? "none" : "there"}, ESP ${esp.stdout.trim() || "none"}`,
    );
  }
  const journal = await readFile(`/run/metalcast/target${journalPath}`, "utf8").catch(() => "");
  tell(
    `${when}, the target's journal ends with`,
    (JSON.parse(journal.trim().split("\n").at(-1) || "{}") as { kind?: string }).kind ?? "nothing",
  );
}
