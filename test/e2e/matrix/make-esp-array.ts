import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir, readFile, realpath, writeFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { setTimeout } from "node:timers/promises";
import { Failure } from "../../../common/failure.ts";
import { run } from "../../../common/run.ts";
import { type ExecuteOptions, execute } from "../../../installer/execute.ts";
import { discoverHardware } from "../../../installer/hardware.ts";
import { type Plan, plan } from "../../../installer/plan.ts";
import type { Command } from "../../../installer/step.ts";
import { sampleImage, sampleJob } from "../../installer/samples.ts";

/**
 * Runs in the rescue system, on disks with different old content: installs servers whose ESP is an array, lets some of
 * these installations fail, and tells what is on the members, as firmware sees them and as md does.
 */
const tree = "/run/image";
const loader = "EFI/BOOT/BOOTX64.EFI";
const members = ["/dev/sda2", "/dev/sdb2"] as const;
const array = "/dev/md/esp";
const doing = "looking";

const tell = (what: string, found: unknown) => process.stdout.write(`${what}: ${found}\n`);
const ask = async (program: string, ...args: string[]) =>
  (await run(program, args, { doing, accept: [0, 2, 32] })).stdout.trim();

await mkdir(dirname(`${tree}/boot/efi/${loader}`), { recursive: true });
await writeFile(`${tree}/boot/efi/${loader}`, "a loader\n".repeat(100_000));
for (const disk of ["/dev/sda", "/dev/sdb"]) {
  for (let offset = 2; offset < 512; offset += 64) {
    await ask("dd", "if=/dev/urandom", `of=${disk}`, "bs=1M", "count=1", `seek=${offset}`, "status=none");
  }
}

tell("first, failed", await attempt(withoutImage(await makePlan())));
await lookAtMembers("first");
await lookAtArray("first");

const over = await makePlan();
tell("over an assembled one, begins with", over.steps[1]?.name);
tell("clean, failed", await attempt(failing(over, ["false"])));
await lookAtRemains("clean");

const lost = ["mdadm", "--fail", array, members[1]] as const;
tell("leave, failed", await attempt(failing(await makePlan(), lost), { onFailure: "leave" }));
await lookAtRemains("leave");

tell("again, failed", await attempt(withoutImage(await makePlan())));
await lookAtMembers("again");

async function makePlan(): Promise<Plan> {
  const { facts } = sampleImage({ minimumDiskBytes: 2 ** 27, unpackedBytes: 2 ** 20 });
  const job = sampleJob({ storage: { preset: "raid1", esp: "raid1" }, after: "nothing" });
  return plan(job, await discoverHardware(), { facts, content: { kind: "tree", path: tree } });
}

/** All steps but those that want an image's own programs. */
function withoutImage(made: Plan): Plan {
  return { ...made, steps: made.steps.filter(({ kind, name }) => kind !== "run-in-target" && name !== "configure") };
}

/** Something fails when all loaders are in place. */
function failing(made: Plan, command: Command): Plan {
  const { steps } = withoutImage(made);
  const step = { kind: "commands", name: "fail", title: "fail", commands: [command] } as const;
  return { ...made, steps: steps.flatMap((other) => (other.name === "release" ? [step] : [other])) };
}

async function attempt(made: Plan, options: ExecuteOptions = {}): Promise<string> {
  try {
    for await (const event of execute(made, options)) {
      if (event.kind === "note") tell("note", event.text);
    }
    return "no";
  } catch (error) {
    return error instanceof Failure ? error.code : String(error);
  }
}

/** Without md, as firmware would: partition type, file system, loader; and all that the array will call its data. */
async function lookAtMembers(when: string): Promise<void> {
  // In KiB, and less than the members would have room for: what is behind it is no part of the array.
  const size = Number(/^\s*Array Size : (\d+) /m.exec(await ask("mdadm", "--examine", members[0]))?.[1]);
  tell(`${when}, MiB of data`, Math.floor(size / 1024));
  const sums = await Promise.all(members.map((member) => digest(member, size * 1024)));
  tell(`${when}, different data`, new Set(sums).size);
  await mkdir("/mnt/member", { recursive: true });
  for (const member of members) {
    const type = await ask("lsblk", "--noheadings", "--nodeps", "--output", "PARTTYPENAME", member);
    await ask("mount", "-t", "vfat", "-o", "ro", member, "/mnt/member");
    const { length } = await readFile(`/mnt/member/${loader}`, "utf8");
    await ask("umount", "/mnt/member");
    const { exitCode } = await run("fsck.vfat", ["-n", member], { doing, accept: [0, 1] });
    tell(`${when}, ${member}`, `${type}, loader of ${length} bytes, check ${exitCode}`);
  }
}

/** In few reads, which cost a User Mode Linux more than what they read. */
async function digest(device: string, sizeBytes: number): Promise<string> {
  const hash = createHash("sha256");
  const content = createReadStream(device, { end: sizeBytes - 1, highWaterMark: 4 * 2 ** 20 });
  for await (const chunk of content) hash.update(chunk);
  return hash.digest("hex");
}

async function lookAtArray(when: string): Promise<void> {
  await ask("mdadm", "--assemble", array, ...members);
  const state = await ask("mdadm", "--detail", array);
  const fact = (name: string) => new RegExp(`^\\s*${name} : (.*)$`, "m").exec(state)?.[1]?.trim() ?? "none";
  for (const name of ["Version", "State", "Consistency Policy"]) tell(`${when}, ${name}`, fact(name));
  const directory = `/sys/block/${basename(await realpath(array))}/md`;
  const read = async (name: string) => (await readFile(`${directory}/${name}`, "utf8")).trim();
  tell(`${when}, left to synchronize from`, await read("resync_start"));
  await writeFile(`${directory}/sync_action`, "check");
  while ((await read("sync_action")) !== "idle") await setTimeout(100);
  tell(`${when}, mismatches`, await read("mismatch_cnt"));
}

async function lookAtRemains(when: string): Promise<void> {
  const arrays = (await readdir("/sys/block")).filter((name) => name.startsWith("md"));
  tell(`${when}, arrays`, arrays.length);
  // It fails where it finds none.
  const mounted = await ask("sh", "-c", "findmnt --noheadings --raw --output TARGET --types ext4,vfat || true");
  tell(`${when}, mounted`, mounted.replaceAll("\n", " ") || "nothing");
  for (const member of members) {
    tell(`${when}, ${member}`, (await ask("wipefs", "--noheadings", "--output", "TYPE", member)) || "nothing");
  }
}
