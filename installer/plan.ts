import { Failure } from "../common/failure.ts";
import type { ImageFacts } from "../mirror/index.ts";
import { type BootContext, type Family, type Firmware, families } from "./boot/family.ts";
import { firmwareEntriesStep } from "./boot/firmware-step.ts";
import type { LoaderPlaces } from "./boot/make-unbootable.ts";
import { checkInterfaces } from "./check-interfaces.ts";
import { chooseDisks } from "./choose-disks.ts";
import { configDriveFiles, hideData } from "./config-drive/documents.ts";
import { type ConfigDriveFormat, configDriveFormat } from "./config-drive/format.ts";
import { networkConfigFiles } from "./config-drive/network-config.ts";
import { type SeededConfigDrive, seedConfigDrive } from "./config-drive/seed.ts";
import { sizeConfigDrive } from "./config-drive/size.ts";
import { identifyDisk } from "./disk-identity.ts";
import { systemGroup } from "./disk-request.ts";
import type { Disk, Hardware } from "./hardware.ts";
import { hookSteps } from "./hooks/plan-hooks.ts";
import type { HookPoint } from "./hooks/settings.ts";
import { imageFile } from "./image-file.ts";
import type { Job } from "./job.ts";
import { labelDisks } from "./label-disk.ts";
import { checkLicense, licenseSteps } from "./license/plan-license.ts";
import { phoneHomeFiles } from "./phone-home/files.ts";
import type { PlannableImage } from "./plannable-image.ts";
import type { DiskGroup } from "./select-disks.ts";
import type { Step } from "./step.ts";
import type { PlannedArray } from "./storage/check-arrays.ts";
import { featureArguments } from "./storage/filesystem-features.ts";
import { fullLayout, type Layout, layOut, releaseStep, storageSteps } from "./storage/layout.ts";
import { partitionOf } from "./storage/partition.ts";
import { checkRescueKernel } from "./storage/rescue-kernel.ts";
import { smallestDiskBytes } from "./storage/smallest-disk.ts";
import { storageFiles } from "./storage/storage-files.ts";
import { refuseTakenNames } from "./storage/taken-names.ts";
import { checkRoom, initramfsSuffices, targetDevices } from "./storage/target-needs.ts";
import { targetDirectory } from "./target-directory.ts";
import { wipeSteps } from "./wipe/plan-wipe.ts";
import type { Wipe } from "./wipe/settings.ts";

/** The job met the hardware: an ordered list of steps, pure data. Secrets in it print as their length. */
export interface Plan {
  version: 1;
  image: string;
  instanceUuid: string;
  hostname: string;
  firmware: readonly Firmware[];
  disks: readonly string[];
  /** Where boot loaders go. */
  loaders: readonly LoaderPlaces[];
  /** They must be whole at the end. */
  arrays: readonly PlannedArray[];
  /** What people should know of, and what is done about it. */
  warnings: readonly string[];
  /** Where the target is mounted while it is being installed. */
  target: string;
  steps: readonly Step[];
}

const target = targetDirectory;

/**
 * Decides everything and touches nothing: the same job, hardware and image give the same plan.
 * @throws Failure for disks that do not fit or must not be touched (see `chooseDisks`), `image-lacks-packages`,
 *   `image-lacks-firmware`, `license-missing`, `license-unsuitable`, `config-drive-too-small`, `storage-invalid`,
 *   `volume-group-name-taken`, `mapping-name-taken`, `rescue-kernel-too-new`, `network-interface-missing` (configuration),
 *   and those of `wipeSteps`
 */
export function plan(job: Job, hardware: Hardware, image: PlannableImage): Plan {
  const { facts } = image;
  const { instance } = job;
  const smallest = smallestDiskBytes(job, facts.minimumDiskBytes);
  const networkWarnings = checkInterfaces(instance.network, hardware.interfaces);
  const { groups, instanceUuid, wipe } = chooseDisks(job, hardware, smallest);
  const disks = groups.flatMap((group) => group.disks);
  const configDrive = sizeUp(job, groups, instanceUuid);
  const untouched = hardware.disks.filter((disk) => !disks.includes(disk));
  const seeded = seedConfigDrive(configDrive.files, untouched);
  const family = families[facts.family];
  const firmware = chooseFirmware(job, hardware, facts, family);
  const layout = layOut(fullLayout(job.storage), groups, {
    instanceUuid,
    hostname: instance.hostname,
    firmware,
    configDriveBytes: configDrive.sizeBytes,
  });
  checkPackages(job, family, facts, layout);
  checkRoom(layout, facts);
  refuseTakenNames(layout, hardware.stack, hardware.disks, disks);
  if (layout.arrays.length > 0) checkRescueKernel(hardware.kernelRelease, facts.kernels);
  checkLicense(job, facts);

  const boot: BootContext = {
    image: facts,
    layout,
    firmware,
    kernelArguments: [
      ...hardware.consoles.filter((word) => !job.kernelArguments.includes(word)),
      ...job.kernelArguments,
    ],
    rebuildInitramfs: job.initramfs === "rebuild" || !initramfsSuffices(facts, layout),
    target,
  };
  const hooks = (point: HookPoint) =>
    hookSteps(job, point, {
      image: `${facts.name}@${facts.version}`,
      instanceUuid,
      disks: disks.map(({ path }) => path),
      target,
      devices: targetDevices(layout),
    });
  const bootSteps = family.steps(boot);
  // Nothing boots before all hooks are done, and what they write gets its labels.
  const loaders = bootSteps.findIndex(({ kind }) => kind === "label-files" || kind === "fill-esp");
  return {
    version: 1,
    image: `${facts.name}@${facts.version}`,
    instanceUuid,
    hostname: instance.hostname,
    firmware,
    disks: disks.map(({ path }) => path),
    loaders: layout.disks.map((disk) => ({
      disk: disk.disk.path,
      esp: partitionOf(disk, "esp").path,
      ...(layout.espArray && { espArray: layout.espArray.path }),
    })),
    arrays: layout.arrays.map(({ path, members }) => ({ path, members })),
    warnings: [...networkWarnings, ...seeded.warnings],
    target,
    steps: [
      checkDisksStep(wipe, disks),
      ...wipeSteps(disks, hardware.stack, wipe),
      ...storageSteps(layout, instanceUuid, target, featureArguments(facts.kernels, hardware.mkfsFeatures)),
      ...hooks("afterPartitioning"),
      configDriveStep(job, layout, configDrive),
      layStep(image, layout),
      configureStep(job, image, boot, family, instanceUuid, seeded),
      ...hooks("afterLaying"),
      ...bootSteps.slice(0, loaders),
      ...licenseSteps(job, target),
      ...hooks("beforeReboot"),
      ...bootSteps.slice(loaders),
      ...(hardware.firmware === "uefi" && firmware.includes("uefi")
        ? [firmwareEntriesStep(boot, family, facts, job.bootOrder)]
        : []),
      ...(job.after === "kexec" ? [loadKernelStep(facts)] : []),
      releaseStep(layout, target),
      ...afterSteps(job),
    ],
  };
}

/** A server that booted the rescue system by one firmware boots its disks by the same: that one must be there. */
function chooseFirmware(job: Job, hardware: Hardware, image: ImageFacts, { oneFirmware }: Family): Firmware[] {
  const carried = (["uefi", "bios"] as const).filter((firmware) => image.firmware[firmware]);
  const wanted = job.firmware === "auto" ? hardware.firmware : job.firmware;
  if (carried.includes(wanted)) return job.firmware === "auto" && !oneFirmware?.(image) ? carried : [wanted];
  throw new Failure({
    code: "image-lacks-firmware",
    kind: "configuration",
    message: `${image.name}@${image.version} has no boot loader for ${wanted}, only for ${carried.join(", ") || "none"}`,
    hint: "build the image with that boot loader, or change the server's firmware setting",
  });
}

function checkPackages(job: Job, family: Family, image: ImageFacts, layout: Layout): void {
  const required = [...family.requiredPackages(layout), ...(job.phoneHome ? ["curl"] : [])];
  const missing = required.filter((name) => !image.preinstalled.includes(name));
  if (missing.length === 0) return;
  throw new Failure({
    code: "image-lacks-packages",
    kind: "configuration",
    message: `${image.name}@${image.version} lacks ${missing.join(", ")}, which this job needs`,
    hint: "build the image with `metalcast build`, which preinstalls them, or choose another storage",
    data: { missing },
  });
}

function checkDisksStep({ held }: Wipe, disks: readonly Disk[]): Step {
  const freedom = held === "refuse" ? " and free" : "";
  return {
    kind: "check-disks",
    name: "check-disks",
    title: `check that ${labelDisks(disks)} are as planned${freedom}`,
    disks: disks.map(identifyDisk),
    held,
  };
}

interface ConfigDrive {
  files: ReadonlyMap<string, string>;
  format: ConfigDriveFormat;
  sizeBytes: number;
}

/** One for all system disks: the format that suits the largest sectors suits all. */
function sizeUp({ instance }: Job, groups: readonly DiskGroup[], instanceUuid: string): ConfigDrive {
  const systemDisks = groups.find(({ name }) => name === systemGroup)?.disks ?? [];
  const sectorBytes = Math.max(...systemDisks.map(({ logicalSectorBytes }) => logicalSectorBytes));
  const files = configDriveFiles(instance, instanceUuid);
  return { files, format: configDriveFormat(sectorBytes), sizeBytes: sizeConfigDrive(files, sectorBytes) };
}

function configDriveStep({ instance }: Job, { disks }: Layout, { files, format, sizeBytes }: ConfigDrive): Step {
  return {
    kind: "config-drive",
    name: "config-drive",
    title: `write the config drive of ${instance.hostname} to ${disks.length} disk(s)`,
    partitions: disks.map((disk) => partitionOf(disk, "config-drive").path),
    sizeBytes,
    format,
    files: hideData(files),
  };
}

function layStep({ facts, content }: PlannableImage, { filesystems, esps }: Layout): Step {
  const { name, version, unpackedBytes } = facts;
  if (content.kind === "tree") {
    const title = `copy the root file system of ${name}`;
    // The first ESP is among them.
    const isDivided = filesystems.length > Math.min(esps.length, 1) + 1;
    return { kind: "lay-tree", name: "lay-image", title, tree: content.path, unpackedBytes, target, isDivided };
  }
  const { mirror, prefix, manifestSha256 } = content;
  return {
    kind: "lay-image",
    name: "lay-image",
    title: `lay ${name}@${version} from ${mirror}`,
    image: { mirror, prefix, name, version, manifestSha256, unpackedBytes },
    target,
  };
}

function configureStep(
  { instance, phoneHome }: Job,
  image: PlannableImage,
  boot: BootContext,
  family: Family,
  instanceUuid: string,
  seeded: SeededConfigDrive,
): Step {
  const { layout } = boot;
  return {
    kind: "write-files",
    name: "configure",
    title: "write fstab, array and boot configuration",
    target,
    files: [
      ...storageFiles(layout),
      ...family.files(boot),
      ...networkConfigFiles(instance.network),
      ...seeded.files,
      imageFile(image),
      ...(phoneHome ? phoneHomeFiles({ ...phoneHome, instanceUuid }) : []),
    ],
  };
}

function loadKernelStep({ kernels: [newest = ""] }: ImageFacts): Step {
  return { kind: "load-kernel", name: "load-kernel", title: `load the kernel ${newest}`, target, kernel: newest };
}

function afterSteps({ after }: Job): Step[] {
  if (after === "nothing") return [];
  if (after === "kexec") return [{ kind: "start-kernel", name: "kexec", title: "start the installed kernel" }];
  return [{ kind: "commands", name: after, title: after === "reboot" ? "reboot" : "power off", commands: [[after]] }];
}
