import { mkdir, readdir, readFile, realpath, writeFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { observeCommands, run } from "../../common/run.ts";
import { Secret } from "../../common/secret.ts";
import { execute } from "../../installer/execute.ts";
import { discoverHardware, type Hardware } from "../../installer/hardware.ts";
import { type Job, parseJob } from "../../installer/job.ts";
import { type Plan, plan } from "../../installer/plan.ts";
import { selectDisks } from "../../installer/select-disks.ts";
import { fullLayout, type Layout, layOut } from "../../installer/storage/layout.ts";
import { storageFiles } from "../../installer/storage/storage-files.ts";
import { sampleImage } from "../installer/samples.ts";

/** Runs in the rescue system: makes every layout that it is told, and tells what is there then. */
const mebibyte = 2 ** 20;

const count = (disks: number) => ({
  count: disks,
  match: { name: ["/dev/sda", "/dev/sdb", "/dev/sdc", "/dev/sdd"].slice(0, disks) },
});
const passphrase = new Secret("correct horse battery staple");

const jobs: Record<string, object> = {
  "lvm-raid1": { disks: count(2), storage: { preset: "raid1", lvm: true, swap: "128 MiB", syncSpeed: "400 MiB" } },
  raid10: { disks: count(4), storage: "raid10" },
  raid5: { disks: count(3), storage: "raid5" },
  "luks-raid1": { disks: count(2), storage: { preset: "raid1", encrypt: { passphrase } } },
  everything: {
    disks: { system: count(2), backup: { count: 2, match: { name: ["/dev/sdc", "/dev/sdd"] } } },
    storage: {
      partitions: [
        { name: "boot_raid", size: "256 MiB" },
        { name: "root_raid", size: "rest" },
        { name: "members", group: "backup", size: "90%" },
        { name: "swap_raid", group: "backup", size: "rest" },
      ],
      raid: [
        { name: "boot", level: 1, on: "boot_raid", metadata: "1.0", sync: "assume-clean" },
        { name: "root", level: 1, on: "root_raid", sync: "zero" },
        { name: "swap0", level: 0, on: "swap_raid", chunk: "64 KiB" },
      ],
      luks: [{ name: "secret", on: "vg0/secret", key: new Secret("c2VjcmV0\n") }],
      lvm: [
        {
          name: "vg0",
          on: "members",
          volumes: [
            { name: "fast", size: "50%", stripes: 2 },
            { name: "secret", size: "256 MiB" },
            { name: "fat", size: "rest" },
          ],
        },
      ],
      filesystems: [
        { on: "boot", type: "ext4", mount: "/boot" },
        {
          on: "root",
          type: "btrfs",
          subvolumes: [
            { name: "@", mount: "/" },
            { name: "@home", mount: "/home", options: "noatime" },
          ],
        },
        { on: "swap0", type: "swap" },
        { on: "vg0/fast", type: "xfs", mount: "/srv/fast" },
        { on: "secret", type: "ext4", mount: "/srv/secret" },
        { on: "vg0/fat", type: "vfat", mount: "/srv/fat" },
      ],
    },
  },
};

const image = sampleImage({
  preinstalled: ["btrfs-progs", "cloud-init", "cryptsetup", "cryptsetup-initramfs", "lvm2", "mdadm", "xfsprogs"],
  unpackedBytes: mebibyte,
  minimumDiskBytes: 128 * mebibyte,
});

observeCommands((command) => process.stderr.write(`+ ${command}\n`));

for (const name of process.argv.slice(2)) {
  const tell = (what: string, found: readonly string[] | string) =>
    process.stdout.write(`${name} ${what}: ${[found].flat().join(", ") || "nothing"}\n`);
  try {
    await makeLayout(jobs[name] ?? {}, tell);
  } catch (error) {
    tell("failed", error instanceof Error ? error.message.replaceAll("\n", " | ") : String(error));
  }
}

process.stdout.write(`held after a failure: ${(await failAfterMount()).join(", ") || "nothing"}\n`);

type Tell = (what: string, found: readonly string[] | string) => void;

async function makeLayout(fields: object, tell: Tell): Promise<void> {
  const job = parseWith(fields);
  const hardware = await discoverHardware();
  const made = plan(job, hardware, image);
  const mounted = upToMount(made);
  await carryOut(made, mounted);
  const layout = layOutAgain(job, hardware);
  tell("mounted", await listMounts(made.target));
  tell("smaller than planned", await listSmaller(layout));
  tell("sync running", await listSyncing());
  for (const array of layout.arrays.filter(({ sync }) => sync === "create" || sync === "zero")) {
    tell(`mismatches of ${array.name}`, await countMismatches(array.path));
  }
  // Without the step that fills the ESP there is no mount point of it.
  await mkdir(`${made.target}/boot/efi`, { recursive: true });
  await carryOut(
    made,
    made.steps.filter((step) => step.name === "release"),
  );
  tell("held after release", await listHeld());
  for (const array of layout.arrays.filter(({ name, sync }) => name === "root" && sync === "first-boot")) {
    await applyRules(layout);
    await run("mdadm", ["--assemble", array.path, ...array.members], { doing: "assembling" });
    await run("udevadm", ["settle"], { doing: "assembling" });
    tell(`speed of ${array.name}`, await readArray(array.path, "sync_speed_max"));
    // Like the first mount of an installed system: until something writes, the resync waits.
    await run("mdadm", ["--readwrite", array.path], { doing: "assembling" });
    await untilIdle(array.path);
    tell(`mismatches of ${array.name}, assembled again`, await countMismatches(array.path));
    await run("vgchange", ["--quiet", "--activate=n"], { doing: "deactivating" });
    await run("mdadm", ["--stop", array.path], { doing: "stopping" });
  }
}

function parseWith(fields: object): Job {
  return parseJob({
    image: "debian-12",
    mirror: "file:///none",
    mirrorRoot: "{}",
    instance: { hostname: "web-1", uuid: "11111111-2222-4333-8444-555555555555" },
    after: "nothing",
    // One layout's arrays lie on disks that the next one does not take.
    wipe: { held: "take-apart" },
    ...fields,
  });
}

function upToMount({ steps }: Plan): Plan["steps"] {
  return steps.slice(0, steps.findIndex(({ name }) => name === "mount") + 1);
}

/** What a step that fails leaves: everything is made, nothing is held. */
async function failAfterMount(): Promise<string[]> {
  const job = parseWith({ disks: count(2), storage: { preset: "raid1", lvm: true, encrypt: { passphrase } } });
  const made = plan(job, await discoverHardware(), image);
  const failing = { kind: "commands", name: "fail", title: "fail", commands: [["false"]] } as const;
  await carryOut(made, [...upToMount(made), failing]).catch(() => {});
  return listHeld();
}

/** What holds the server's disks, but not that of the rescue system, which an emulated one runs from. */
async function listHeld(): Promise<string[]> {
  const { disks } = await discoverHardware();
  return disks.filter(({ serial }) => serial.startsWith("LAB")).flatMap(({ heldBy }) => heldBy);
}

async function carryOut(made: Plan, steps: Plan["steps"]): Promise<void> {
  for await (const _event of execute({ ...made, steps })) {
    // A failure is thrown in the end; what goes on besides is for nobody.
  }
}

function layOutAgain(job: Job, hardware: Hardware): Layout {
  return layOut(fullLayout(job.storage), selectDisks(job, hardware, 0), {
    instanceUuid: "11111111-2222-4333-8444-555555555555",
    hostname: "web-1",
    firmware: ["bios", "uefi"],
    configDriveBytes: mebibyte,
  });
}

/** Mount point, file system, what it is on, and the subvolume. */
async function listMounts(target: string): Promise<string[]> {
  const doing = "listing mounts";
  const { stdout } = await run("findmnt", ["--noheadings", "--raw", "-o", "TARGET,FSTYPE,SOURCE,FSROOT"], { doing });
  const mounts = stdout.split("\n").filter((line) => line.startsWith(target));
  const lines = mounts.map(async (line) => {
    const [place = "", type = "", source = "", root = "/"] = line.split(" ");
    const device = source.replace(/\[.*/, "");
    const { stdout: kind } = await run("lsblk", ["--noheadings", "--nodeps", "-o", "TYPE", device], { doing });
    return [place.slice(target.length) || "/", type, kind.trim(), ...(root === "/" ? [] : [root.slice(1)])].join(" ");
  });
  return (await Promise.all(lines)).sort();
}

async function listSmaller({ filesystems }: Layout): Promise<string[]> {
  const found = filesystems.map(async ({ device, sizeBytes }) => {
    const { stdout } = await run("blockdev", ["--getsize64", device], { doing: "measuring" });
    return Number(stdout) < sizeBytes ? `${device}: ${stdout.trim()} of ${sizeBytes}` : undefined;
  });
  return (await Promise.all(found)).filter((line) => line !== undefined);
}

async function listSyncing(): Promise<string[]> {
  const arrays = (await readdir("/sys/block")).filter((name) => name.startsWith("md"));
  const found = arrays.map(async (name) => {
    const action = await readFile(`/sys/block/${name}/md/sync_action`, "utf8").catch(() => "idle");
    return ["idle", "frozen"].includes(action.trim()) ? undefined : `${name} ${action.trim()}`;
  });
  return (await Promise.all(found)).filter((line) => line !== undefined);
}

/** As the installed system's udev does. */
async function applyRules(layout: Layout): Promise<void> {
  for (const file of storageFiles(layout)) {
    if (!file.path.startsWith("/etc/udev/rules.d/") || !("content" in file)) continue;
    await writeFile(file.path, String(file.content));
    await run("udevadm", ["control", "--reload"], { doing: "giving udev its rules" });
  }
}

async function readArray(path: string, attribute: string): Promise<string> {
  const name = (await realpath(path)).slice("/dev/".length);
  return (await readFile(`/sys/block/${name}/md/${attribute}`, "utf8")).trim();
}

async function untilIdle(path: string): Promise<void> {
  const directory = `/sys/block/${(await realpath(path)).slice("/dev/".length)}/md`;
  await writeFile(`${directory}/sync_speed_min`, "4000000");
  const isDone = async () =>
    (await readFile(`${directory}/sync_action`, "utf8")).trim() === "idle" &&
    (await readFile(`${directory}/resync_start`, "utf8")).trim() === "none";
  while (!(await isDone())) await setTimeout(200);
}

/** Reads all members and compares: Documentation/admin-guide/md.rst, `sync_action`. */
async function countMismatches(path: string): Promise<string> {
  const directory = `/sys/block/${(await realpath(path)).slice("/dev/".length)}/md`;
  await writeFile(`${directory}/sync_action`, "check");
  await untilIdle(path);
  return readArray(path, "mismatch_cnt");
}
