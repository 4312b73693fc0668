import { formatSize } from "../common/units.ts";
import type { MountedTree } from "./disk/mount-tree.ts";
import type { KernelExamination, TreeExamination } from "./families/examine-tree.ts";

/** Whether a server can have it as it is, after `metalcast build`, or not at all. */
export type Readiness = "ready" | "fixable" | "blocks";

/** The answer to one question about an image. */
export interface Finding {
  topic: string;
  readiness: Readiness;
  /** What was found. */
  found: string;
  /** Why that is not ready, and what follows. */
  why?: string;
}

export interface FindingsInput {
  system: TreeExamination;
  disk: MountedTree | undefined;
  unpackedBytes: number;
  minimumDiskBytes: number;
}

/**
 * Judges what was found in an image. What a family's provisioning scripts install or set is fixable, where there are
 * such scripts.
 */
export function judge(input: FindingsInput): Finding[] {
  const { system } = input;
  const findings = [
    judgeDisk(input.disk),
    judgeSystem(system),
    ...judgeKernels(system.kernels),
    ...judgeTools(system),
    ...judgeBoot(system),
    ...judgeCloudInit(system),
    judgeSsh(system),
    { topic: "SELinux", readiness: "ready", found: system.selinux ?? "none" } as const,
    judgeLicense(system),
    judgeSize(input),
    ...system.problems.map(({ message }) => blocks("content", "cannot be read whole", message)),
  ];
  return system.family === undefined ? findings.map(withoutScripts) : findings;
}

/** @returns the worst of them */
export function verdictOf(findings: readonly Finding[]): Readiness {
  const has = (readiness: Readiness) => findings.some((finding) => finding.readiness === readiness);
  return has("blocks") ? "blocks" : has("fixable") ? "fixable" : "ready";
}

const ready = (topic: string, found: string): Finding => ({ topic, readiness: "ready", found });
const fixable = (topic: string, found: string, why: string): Finding => ({ topic, readiness: "fixable", found, why });
const blocks = (topic: string, found: string, why: string): Finding => ({ topic, readiness: "blocks", found, why });

function withoutScripts(finding: Finding): Finding {
  if (finding.readiness !== "fixable") return finding;
  return { ...finding, readiness: "blocks", why: `${finding.why}; there are no scripts for this distribution` };
}

function judgeDisk(disk: MountedTree | undefined): Finding {
  if (disk === undefined) return ready("partitions", "none: an archive of the root file system");
  const mounts = disk.mounts.map(({ mountPoint, volume, subvolume }) => {
    const part = subvolume ? ` ${subvolume}` : "";
    return `${mountPoint} ${volume.fileSystem.kind}${part} (${volume.name})`;
  });
  const passed = disk.passedOver.map(({ device, mountPoint, reason }) => `${mountPoint} on ${device}: ${reason}`);
  const found = `${disk.table}: ${mounts.join(", ")}`;
  return passed.length === 0
    ? ready("partitions", found)
    : ready("partitions", `${found}; left out: ${passed.join(", ")}`);
}

function judgeSystem({ osRelease, family, packageManager }: TreeExamination): Finding {
  const name = osRelease?.PRETTY_NAME ?? osRelease?.ID ?? "no os-release";
  if (family === undefined) {
    return blocks("system", name, "neither it nor what it says it is like is of the families debian, redhat and suse");
  }
  if (packageManager === undefined) return blocks("system", name, `it has no package manager of the ${family} family`);
  return ready("system", `${name}, family ${family}`);
}

function judgeKernels(kernels: readonly KernelExamination[]): Finding[] {
  const [newest] = kernels;
  if (newest === undefined) return [fixable("kernel", "none", "a server boots its own kernel: one is installed")];
  return kernels.flatMap((kernel) => [judgeKernel(kernel), judgeInitramfs(kernel)]);
}

function judgeKernel({ release, missingDrivers }: KernelExamination): Finding {
  if (missingDrivers.length === 0) return ready("kernel", release);
  return fixable(
    "kernel",
    release,
    `no drivers for servers' disks (${missingDrivers.join(", ")}): replaced by a full one`,
  );
}

const neededModules = ["raid1", "nvme", "ahci"];

function judgeInitramfs({ release, initramfs }: KernelExamination): Finding {
  const topic = "initramfs";
  if (initramfs === undefined) return fixable(topic, `none for ${release}`, "built, with every driver");
  const { generator, modules, programs } = initramfs;
  const found = `${generator ?? "of unknown make"}, ${modules.size} drivers`;
  const lacks = [
    ...neededModules.filter((name) => !modules.has(name)),
    ...["mdadm", "lvm"].filter((name) => !programs.has(name)),
  ];
  if (lacks.length === 0) return ready(topic, found);
  return fixable(
    topic,
    found,
    `lacks ${lacks.join(", ")} for ${release}: built anew (by the installer, too, where it must)`,
  );
}

function judgeTools({ preinstalled }: TreeExamination): Finding[] {
  return (["mdadm", "lvm2", "cryptsetup", "efibootmgr", "curl"] as const).map((name) =>
    preinstalled.includes(name) ? ready(name, "installed") : fixable(name, "not installed", "preinstalled"),
  );
}

function judgeBoot({ firmware }: TreeExamination): Finding[] {
  const loader = (topic: string, isThere: boolean, missing: string) =>
    isThere ? ready(topic, "there") : fixable(topic, "not there", missing);
  return [
    loader("GRUB for BIOS", firmware.bios, "installed"),
    loader("GRUB for UEFI", firmware.uefi, "installed"),
    loader("Secure Boot", firmware.secureBoot, firmware.shim ? "a signed GRUB is installed" : "shim is installed"),
  ];
}

function judgeCloudInit({ cloudInit }: TreeExamination): Finding[] {
  if (cloudInit === undefined) return [fixable("cloud-init", "not installed", "installed, and reads the config drive")];
  const { version, enabled, configDrive, reason = "" } = cloudInit;
  return [
    enabled ? ready("cloud-init", version) : fixable("cloud-init", version, `switched off: ${reason}`),
    configDrive
      ? ready("config drive", "will be read")
      : fixable("config drive", "will not be read", `${reason}: cloud-init is set to read it`),
  ];
}

function judgeSsh({ sshServer }: TreeExamination): Finding {
  return sshServer ? ready("sshd", "installed") : fixable("sshd", "not installed", "installed");
}

function judgeLicense({ license }: TreeExamination): Finding {
  return ready("license", license === "none" ? "none needed" : "a Red Hat subscription, which its user brings");
}

function judgeSize({ unpackedBytes, minimumDiskBytes }: FindingsInput): Finding {
  return ready("size", `${formatSize(unpackedBytes)}, wants disks of ${formatSize(minimumDiskBytes)}`);
}
