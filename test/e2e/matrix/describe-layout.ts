import { mkdir } from "node:fs/promises";
import { run } from "../../../common/run.ts";
import type { Secret } from "../../../common/secret.ts";
import { chooseDisks } from "../../../installer/choose-disks.ts";
import { discoverHardware } from "../../../installer/hardware.ts";
import type { Job } from "../../../installer/job.ts";
import { fullLayout, type Layout, layOut } from "../../../installer/storage/layout.ts";

const doing = "describing the disks";
const mountPoint = "/mnt/described";

/**
 * Runs in the rescue system, on disks that nothing holds: what an installation has left on them, but for times, counters
 * and what LVM chooses by itself. Partition tables, superblocks, and all files by kind, mode, owner, size and content.
 */
export async function describeDisks(job: Job, passphrase: Secret): Promise<string[]> {
  const layout = await layOutAgain(job);
  const disks = [...layout.disks, ...layout.dataDisks];
  await hold(layout, passphrase);
  try {
    const devices = [
      ...disks.flatMap(({ partitions }) => partitions.map(({ path }) => path)),
      ...layout.arrays.map(({ path }) => path),
      ...layout.encrypted.map(({ name }) => `/dev/mapper/${name}`),
      ...layout.volumeGroups.flatMap(({ volumes }) => volumes.map(({ path }) => path)),
    ];
    const lines: string[] = [];
    for (const { disk } of disks) lines.push(...(await tell("sfdisk", ["--dump", disk.path])));
    for (const device of devices) lines.push(`${device} ${(await probe(device)).join(" ")}`);
    for (const { members } of layout.arrays) {
      for (const member of members) lines.push(...(await examine(member)));
    }
    for (const { disk, partitions } of disks) {
      const drive = partitions.find(({ name }) => name === "config-drive");
      if (drive) lines.push(`${disk.path} config drive ${(await tell("sha256sum", [drive.path])).join(" ")}`);
    }
    const mounted = [...layout.filesystems.filter(({ mountPoint: place }) => place !== "/boot/efi"), ...layout.esps];
    for (const { name, type, device } of mounted) {
      lines.push(...(await listFiles(type, device)).map((line) => `${name}: ${line}`));
    }
    return lines;
  } finally {
    await letGo(layout);
  }
}

async function layOutAgain(job: Job): Promise<Layout> {
  const { groups, instanceUuid } = chooseDisks(job, await discoverHardware(), 0);
  return layOut(fullLayout(job.storage), groups, {
    instanceUuid,
    hostname: job.instance.hostname,
    firmware: ["bios", "uefi"],
    configDriveBytes: 2 ** 20,
  });
}

async function hold({ layers }: Layout, passphrase: Secret): Promise<void> {
  for (const layer of layers) {
    if (layer.kind === "array") {
      const { path, members } = layer.array;
      await run("mdadm", ["--assemble", "--readonly", path, ...members], { doing });
      await run("udevadm", ["wait", "--settle", "--timeout=60", path], { doing });
    } else if (layer.kind === "encrypted") {
      const open = ["open", "--readonly", "--key-file", "-", layer.volume.device, layer.volume.name];
      await run("cryptsetup", open, { doing, input: passphrase.reveal() });
    } else {
      await run("vgchange", ["--quiet", "--activate=y", layer.group.name], { doing });
    }
  }
}

async function letGo({ layers }: Layout): Promise<void> {
  for (const layer of layers.toReversed()) {
    if (layer.kind === "array") await run("mdadm", ["--stop", layer.array.path], { doing });
    else if (layer.kind === "encrypted") await run("cryptsetup", ["close", layer.volume.name], { doing });
    else await run("vgchange", ["--quiet", "--activate=n", layer.group.name], { doing });
  }
}

async function tell(program: string, args: readonly string[]): Promise<string[]> {
  const { stdout } = await run(program, args, { doing, accept: [0, 2] });
  return stdout
    .trim()
    .split("\n")
    .map((line) => line.trimEnd());
}

async function probe(device: string): Promise<string[]> {
  const found = await tell("blkid", ["--probe", "--output", "export", device]);
  const kept = found.filter((line) => /^(LABEL|TYPE|UUID|UUID_SUB|PART_ENTRY_\w+)=/.test(line));
  // LVM gives physical volumes identifiers of its own, md members too.
  const own = found.some((line) => /^TYPE=(LVM2_member|linux_raid_member)$/.test(line)) ? /^UUID(_SUB)?=/ : /^DEVNAME=/;
  return kept.filter((line) => !own.test(line) && !line.startsWith("PART_ENTRY_DISK="));
}

async function examine(member: string): Promise<string[]> {
  const found = await tell("mdadm", ["--examine", "--export", member]);
  const kept = found.filter((line) => /^MD_(LEVEL|DEVICES|UUID|NAME|METADATA|ARRAY_SIZE)=/.test(line));
  return kept.map((line) => `${member} ${line}`);
}

async function listFiles(type: string, device: string): Promise<string[]> {
  await mkdir(mountPoint, { recursive: true });
  await run("mount", ["-t", type, "-o", "ro", device, mountPoint], { doing });
  try {
    const kinds = await tell("find", [mountPoint, "-xdev", "-printf", "%P %y %m %U %G %l\n"]);
    const sums = await tell("find", [mountPoint, "-xdev", "-type", "f", "-exec", "sha256sum", "{}", "+"]);
    return [...kinds, ...sums].filter((line) => !/lost\+found|var\/log\/metalcast/.test(line)).sort();
  } finally {
    await run("umount", [mountPoint], { doing });
  }
}
