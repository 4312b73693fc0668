import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import type { Event } from "../../../common/event.ts";
import { Failure } from "../../../common/failure.ts";
import { observeCommands, run } from "../../../common/run.ts";
import { execute } from "../../../installer/execute.ts";
import { discoverHardware } from "../../../installer/hardware.ts";
import { type Plan, plan } from "../../../installer/plan.ts";
import type { Command, Step } from "../../../installer/step.ts";
import type { PlannedImage } from "../../bench/publish-tree.ts";
import { sampleImage, sampleJob } from "../../installer/samples.ts";
import { FaultyDisk } from "./faulty-disk.ts";

/** What an installation came to, and what it left. */
export interface FaultOutcome {
  scenario: string;
  code: string;
  exitCode: number;
  message: string;
  hint: string;
  /** The step that failed. */
  step: string;
  /** Steps and operations that began and never ended. */
  unfinished: string[];
  notes: string[];
  /** Below the target's directory. */
  mounted: string[];
  arrays: number;
  /** Of each disk of the job, whether firmware would start something: what really is on it. */
  bootable: Record<string, { bootCode: boolean; loaders: number }>;
  /** Of the root file system, where there is one on a single disk. */
  content: "as published" | "something else" | "not looked at";
}

/** What the program is told: /root/job/faults.json. */
export interface FaultInput {
  /** For each scenario of a mirror its own address. */
  image: PlannedImage;
  /** Of mirrors that misbehave, in order. None: disks fail. */
  mirrors: string[];
  /** The image's large files, as sha256sum(1) lists them. */
  checksums: string;
}

const mebibyte = 2 ** 20;
const diskBytes = 1536 * mebibyte;
const doing = "looking";
/** Of every layout here: behind the BIOS boot partition. */
const esp = { start: 2 * mebibyte, end: 514 * mebibyte };

// What the kernel has to say would come in between; the installer reads it elsewhere.
await writeFile("/proc/sys/kernel/printk", "1");
observeCommands((command) => process.stderr.write(`+ ${command}\n`));

/** Behind the ESP and a config drive of 1 MiB. */
const rootStart = esp.end + mebibyte;

const { image, mirrors, checksums }: FaultInput = JSON.parse(await readFile("/root/job/faults.json", "utf8"));
const first = await FaultyDisk.plugIn("FAULT0", diskBytes, 0);
const one = { disks: [first] };

type Fault = (event: Event) => Promise<void> | undefined;
const atStep = (step: string, fault: () => Promise<void>): Fault => {
  return (event) => (event.kind === "step-started" && event.step === step ? fault() : undefined);
};
const never: Fault = () => undefined;

if (mirrors.length === 0) {
  await failDisks();
} else {
  await attempt("the image is too large", { ...one, sizeMebibytes: 20 }, never);
  for (const mirror of mirrors) await attempt(new URL(mirror).pathname.slice(1), { ...one, mirror }, never);
}

async function failDisks(): Promise<void> {
  const second = await FaultyDisk.plugIn("FAULT1", diskBytes, 1);
  const two = { disks: [first, second] };
  await attempt(
    "writes fail while the image is laid",
    one,
    atStep("lay-image", () => first.failWrites()),
  );
  await first.repair();
  await attempt("after that", one, never);
  await attempt(
    "writes fail where the ESP is",
    one,
    atStep("config-drive", () => first.failWrites(esp)),
  );
  await first.repair();
  await attempt(
    "the disk is gone",
    one,
    atStep("lay-image", () => first.vanish()),
  );
  await first.reconnect();
  await attempt(
    "a mirror's writes fail",
    two,
    atStep("lay-image", () => second.failWrites()),
  );
  await second.repair();
  await attempt(
    "a mirror's disk is gone",
    two,
    atStep("lay-image", () => second.vanish()),
  );
  await second.reconnect();
  const lateFault: Command = ["sh", "-c", `echo 1 >${await second.vanishingFile()}`];
  await attempt("a mirror's disk is gone once loaders are there", { ...two, lateFault }, never);
  await second.reconnect();
  await attempt("after those", two, never);
}

interface Setting {
  disks: FaultyDisk[];
  mirror?: string;
  /** Runs once boot loaders are there. */
  lateFault?: Command;
  /** Of the root file system. Default: the rest. */
  sizeMebibytes?: number;
}

async function makePlan({ disks, mirror = image.mirror, sizeMebibytes }: Setting): Promise<Plan> {
  const { facts } = sampleImage({ minimumDiskBytes: 16 * mebibyte, unpackedBytes: image.unpackedBytes });
  const level = disks.length > 1 ? "raid1" : "single";
  const job = sampleJob({
    disks: { count: disks.length, match: { serial: disks.map(({ serial }) => serial) } },
    storage: sizeMebibytes === undefined ? level : smallRoot(sizeMebibytes),
    instance: { hostname: "web-1", uuid: "11111111-2222-4333-8444-555555555555" },
    after: "nothing",
  });
  const { prefix, manifestSha256 } = image;
  return plan(job, await discoverHardware(), {
    facts,
    content: { kind: "published", mirror, prefix, manifestSha256 },
  });
}

function smallRoot(sizeMebibytes: number) {
  return {
    partitions: [{ name: "root", size: `${sizeMebibytes} MiB` }],
    filesystems: [{ on: "root", type: "ext4", mount: "/" }],
  };
}

/** In place of the steps that want an image's own programs, one that writes boot code as grub-install would. */
function withoutPrograms(made: Plan, { lateFault }: Setting): Plan {
  const bootCode: Step = {
    kind: "commands",
    name: "boot-code",
    title: "write boot code",
    commands: made.loaders.map(
      ({ disk }): Command => ["dd", "if=/dev/urandom", `of=${disk}`, "bs=440", "count=1", "conv=notrunc,fsync"],
    ),
  };
  const fault: Step[] = lateFault
    ? [{ kind: "commands", name: "late-fault", title: "fail late", commands: [lateFault] }]
    : [];
  const steps = made.steps.filter(({ kind, name }) => kind !== "run-in-target" && name !== "configure");
  return { ...made, steps: steps.flatMap((step) => (step.name === "release" ? [bootCode, ...fault, step] : [step])) };
}

async function attempt(scenario: string, setting: Setting, fault: Fault): Promise<void> {
  const open = new Set<string>();
  const notes: string[] = [];
  let failure: Failure | undefined;
  let failedStep = "";
  try {
    for await (const event of execute(withoutPrograms(await makePlan(setting), setting))) {
      await fault(event);
      if (event.kind === "note") notes.push(event.text);
      if (event.kind === "step-started") open.add(event.step);
      if (event.kind === "step-finished" || event.kind === "step-failed") open.delete(event.step);
      if (event.kind === "step-failed") failedStep = event.step;
      if (event.kind === "operation-started") open.add(event.operation);
      if (event.kind === "operation-finished" || event.kind === "operation-failed") open.delete(event.operation);
    }
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    failure = error;
  }
  const mounts = (await readFile("/proc/mounts", "utf8")).split("\n").map((line) => line.split(" ")[1] ?? "");
  const bootable = setting.disks.map(async (disk) => [disk.serial, await lookForLoaders(disk)] as const);
  const outcome: FaultOutcome = {
    scenario,
    code: failure?.code ?? "none",
    exitCode: failure?.exitCode ?? 0,
    message: failure?.message ?? "",
    hint: failure?.hint ?? "",
    step: failedStep,
    unfinished: [...open],
    notes,
    mounted: mounts.filter((path) => path.startsWith("/run/metalcast")),
    arrays: (await readdir("/sys/block")).filter((name) => name.startsWith("md")).length,
    bootable: Object.fromEntries(await Promise.all(bootable)),
    content: failure || setting.disks.length > 1 ? "not looked at" : await compareContent(first),
  };
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
}

/** On the file behind the disk: what a disk that failed or is gone would show after the next start. */
async function lookForLoaders({ file }: FaultyDisk): Promise<{ bootCode: boolean; loaders: number }> {
  const code = await run("sh", ["-c", `head -c 440 ${file} | tr -d '\\000' | wc -c`], { doing });
  const listed = await run("mdir", ["-/", "-b", "-i", `${file}@@${esp.start}`, "::"], { doing, accept: [0, 1] });
  const loaders = listed.stdout.split("\n").filter((line) => /\.EFI$/i.test(line));
  return { bootCode: code.stdout.trim() !== "0", loaders: loaders.length };
}

/** debugfs(8): reads the file system in the file, on which the kernel has a disk of its own. */
async function compareContent({ file }: FaultyDisk): Promise<FaultOutcome["content"]> {
  const directory = "/tmp/root";
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory);
  await run("debugfs", ["-R", `rdump / ${directory}`, `${file}?offset=${rootStart}`], { doing });
  const options = { doing, cwd: directory, input: checksums, accept: [0, 1] };
  const { exitCode } = await run("sha256sum", ["--check", "--quiet"], options);
  return exitCode === 0 ? "as published" : "something else";
}
