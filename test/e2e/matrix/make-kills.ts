import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { Failure } from "../../../common/failure.ts";
import { formatCommand, observeCommands, run } from "../../../common/run.ts";
import { Secret } from "../../../common/secret.ts";
import { execute } from "../../../installer/execute.ts";
import { discoverHardware } from "../../../installer/hardware.ts";
import { type Plan, plan } from "../../../installer/plan.ts";
import type { Command, Step } from "../../../installer/step.ts";
import { encryptCommands } from "../../../installer/storage/open-encrypted.ts";
import { formatAction } from "../../../installer/wipe/action.ts";
import { sampleImage, sampleJob } from "../../installer/samples.ts";
import { describeDisks } from "./describe-layout.ts";

/**
 * Runs in the rescue system. `kills.mjs LAYOUT` installs, then kills one installation after the other, each a little
 * later than the one before, on whose leftovers it begins; every few of them, one runs through, and what is then on the
 * disks is compared with the first. `kills.mjs LAYOUT install [MOMENT]` is one of these installations.
 */
const tree = "/run/image";
const doing = "trying";
const instanceUuid = "11111111-2222-4333-8444-555555555555";
const passphrase = new Secret("correct horse battery staple");
const runThroughEvery = 8;
const firstStep = "check-disks";
const busyProgram = "sh -c 'cd /run/metalcast/target && exec sleep 600'";

const storages: Record<string, object | string> = {
  raid1: "raid1",
  "encrypted-lvm": { preset: "raid1", lvm: true, swap: "128 MiB", encrypt: { passphrase } },
};

/** `step-finished NAME`, or a command of the plan as a person would type it. */
type Moment = string;

const [layout = "raid1", verb, moment] = process.argv.slice(2);
const tell = (what: string, found: unknown) => {
  process.stdout.write(`${layout}, ${what}: ${found}\n`);
};

if (verb === "install") await install(moment);
else await tryAll();

async function tryAll(): Promise<void> {
  await makeTree();
  const foreign = layout === "encrypted-lvm" ? await makeForeignGroup() : undefined;
  const made = withoutImage(await makePlan());
  tell("undisturbed", await installInChild());
  const whole = await describeDisks(makeJob(), passphrase);
  const moments = momentsOf(made);
  for (const [index, when] of moments.entries()) {
    const ended = await installInChild(when);
    if (ended !== "SIGKILL") tell(`killed at ${when}`, ended);
    if ((index + 1) % runThroughEvery === 0 || index === moments.length - 1) await runThrough(when, whole);
  }
  tell("moments", moments.length);
  await tryBusyProgram(whole);
  await tryOwnMasks();
  if (foreign) tell("the foreign group", await foreign.look());
}

async function runThrough(when: string, whole: readonly string[]): Promise<void> {
  const outcome = await installInChild();
  if (outcome !== "done") return tell(`after ${when}`, outcome);
  const found = await describeDisks(makeJob(), passphrase);
  const differences = [
    ...found.filter((line) => !whole.includes(line)),
    ...whole.filter((line) => !found.includes(line)),
  ];
  tell(`after ${when}`, differences.join(" | ") || "the same");
}

/** It would keep the target busy for ten minutes. */
async function tryBusyProgram(whole: readonly string[]): Promise<void> {
  tell("killed while a program works in the target", await installInChild(busyProgram));
  await runThrough("that", whole);
}

async function tryOwnMasks(): Promise<void> {
  const rules = "/run/udev/rules.d";
  tell("masks", (await readdir(rules)).join(" ") || "none");
  await symlink("/dev/null", `${rules}/69-lvm.rules`);
  await writeFile(`${rules}/65-md-incremental.rules`, "# none\n");
  tell("with an administrator's masks", await installInChild(`step-finished ${firstStep}`));
  tell("with them, again", await installInChild());
  tell("masks of an administrator", (await readdir(rules)).sort().join(" "));
}

/** A group of the name that the preset gives ours, active, on the disk that the job does not take. */
async function makeForeignGroup() {
  const [member = ""] = (await readdir("/dev/disk/by-id")).filter((name) => name.endsWith("LAB2"));
  const disk = `/dev/disk/by-id/${member}`;
  await run("vgcreate", ["--quiet", "--yes", "system", disk], { doing });
  await run("lvcreate", ["--quiet", "--yes", "--name=root", "--extents=100%FREE", "system"], { doing });
  const sum = async () => (await run("sha256sum", [disk], { doing })).stdout;
  tell("beside a group of the same name", (await installInChild()).split(" ")[0]);
  await run("vgrename", ["--quiet", "system", "theirs"], { doing });
  const before = await sum();
  return {
    async look(): Promise<string> {
      const { stdout } = await run("lvs", ["--noheadings", "--options=lv_active", "theirs/root"], { doing });
      return `${stdout.trim()}, ${before === (await sum()) ? "unchanged" : "changed"}`;
    },
  };
}

async function makeTree(): Promise<void> {
  const files = {
    "boot/efi/EFI/BOOT/BOOTX64.EFI": "a loader\n",
    "etc/hostname": "image\n",
    "var/data": "x".repeat(1e6),
  };
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(`${tree}/${path}`), { recursive: true });
    await writeFile(`${tree}/${path}`, content);
  }
}

function makeJob() {
  return sampleJob({
    disks: { count: 2, match: { serial: ["LAB0", "LAB1"] } },
    storage: storages[layout],
    instance: { hostname: "web-1", uuid: instanceUuid },
    after: "nothing",
  });
}

async function makePlan(): Promise<Plan> {
  const { facts } = sampleImage({
    minimumDiskBytes: 2 ** 27,
    unpackedBytes: 2 ** 20,
    preinstalled: ["cloud-init", "cryptsetup", "cryptsetup-initramfs", "lvm2", "mdadm"],
  });
  return plan(makeJob(), await discoverHardware(), { facts, content: { kind: "tree", path: tree } });
}

/** All steps but those that want an image's own programs. */
function withoutImage(made: Plan): Plan {
  return { ...made, steps: made.steps.filter(({ kind, name }) => kind !== "run-in-target" && name !== "configure") };
}

function withBusyProgram(made: Plan): Plan {
  const commands: Command[] = [["sh", "-c", "cd /run/metalcast/target && exec sleep 600"]];
  const busy: Step = { kind: "commands", name: "busy", title: "be busy", commands };
  return { ...made, steps: made.steps.flatMap((step) => (step.name === "release" ? [busy, step] : [step])) };
}

/** While each step works, and after it. */
function momentsOf({ steps }: Plan): Moment[] {
  return steps.flatMap((step) => [...commandsWorthIt(step), `step-finished ${step.name}`]);
}

function commandsWorthIt(step: Step): string[] {
  const format = ([program, ...args]: Command) => formatCommand(program, args);
  const commands = (given: readonly Command[]) => given.map(format).filter((text) => !/^(udevadm|sync)/.test(text));
  const middle = (texts: readonly string[]) => texts.slice(texts.length >> 1).slice(0, 1);
  switch (step.kind) {
    case "commands":
      if (step.name.startsWith("volumes-")) return commands(step.commands);
      if (step.name.startsWith("assemble-")) return commands(step.commands).slice(0, 1);
      return middle(commands(step.commands));
    case "encrypt":
      return commands(encryptCommands(step));
    case "wipe":
      return middle(step.actions.map(formatAction).filter((text) => !text.startsWith("udevadm")));
    case "lay-tree":
      return ["tar --extract"];
    case "fill-esp":
      return ["cp --recursive"];
    default:
      return [];
  }
}

/** @returns "done", the signal that ended it, or what it said */
async function installInChild(when?: Moment): Promise<string> {
  const [node = "node", program = ""] = process.argv;
  try {
    const { stdout } = await run(node, [program, layout, "install", ...(when === undefined ? [] : [when])], { doing });
    return stdout.trim();
  } catch (error) {
    return error instanceof Failure && error.data.signal ? String(error.data.signal) : String(error);
  }
}

async function install(when: Moment | undefined): Promise<void> {
  const die = () => process.kill(process.pid, "SIGKILL");
  // The command has begun by then.
  observeCommands((command) => {
    if (when !== undefined && command.startsWith(when)) setImmediate(die);
  });
  try {
    const planned = withoutImage(await makePlan());
    const made = when === busyProgram ? withBusyProgram(planned) : planned;
    for await (const event of execute(made)) {
      if (event.kind === "note") process.stdout.write(`${event.text} `);
      if (event.kind === "step-finished" && `step-finished ${event.step}` === when) die();
    }
    process.stdout.write("done\n");
  } catch (error) {
    process.stdout.write(error instanceof Failure ? `${error.code} ${error.message}` : String(error));
  }
}
