import { createHash } from "node:crypto";
import { Failure } from "../common/failure.ts";
import { Secret } from "../common/secret.ts";
import type { ImageFacts } from "../mirror/index.ts";
import { type BootContext, type Family, type Firmware, findFamily } from "./boot/family.ts";
import { configDriveFiles } from "./config-drive/documents.ts";
import { checkConfigDriveFits } from "./config-drive/image.ts";
import type { Hardware } from "./hardware.ts";
import { deriveUuid } from "./identity.ts";
import type { Job } from "./job.ts";
import { phoneHomeFiles } from "./phone-home/files.ts";
import type { PlannableImage } from "./plannable-image.ts";
import { selectDisks } from "./select-disks.ts";
import type { Step } from "./step.ts";
import { formatFstab } from "./storage/filesystem.ts";
import { type Layout, layOut, releaseStep, storageSteps } from "./storage/layout.ts";
import { configDriveBytes, overheadBytes, partitionOf } from "./storage/partition.ts";

/** The job met the hardware: an ordered list of steps, pure data. Secrets in it print as their length. */
export interface Plan {
  version: 1;
  image: string;
  instanceUuid: string;
  hostname: string;
  firmware: readonly Firmware[];
  disks: readonly string[];
  /** Where the target is mounted while it is being installed. */
  target: string;
  steps: readonly Step[];
}

const target = "/run/metalcast/target";

/**
 * Decides everything and touches nothing: the same job, hardware and image give the same plan.
 * @throws Failure for disks that do not fit or must not be touched (see `selectDisks`), `image-lacks-packages`,
 *   `image-lacks-firmware`, `family-unknown`, `license-missing`, `config-drive-too-small` (configuration)
 */
export function plan(job: Job, hardware: Hardware, image: PlannableImage): Plan {
  const { facts } = image;
  const { instance } = job;
  const disks = selectDisks(job, hardware, overheadBytes + facts.minimumDiskBytes);
  const instanceUuid = instance.uuid ?? identify(hardware, disks.map(({ serial, path }) => serial || path).join(" "));
  const layout = layOut(job, disks, instanceUuid, instance.hostname);
  const firmware = chooseFirmware(job, hardware, facts);
  const family = chooseFamily(facts);
  checkPackages(job, family, facts, layout);
  checkLicense(job, facts);

  const boot: BootContext = {
    image: facts,
    layout,
    firmware,
    kernelArguments: [...hardware.consoles, ...job.kernelArguments],
    rebuildInitramfs: job.initramfs === "rebuild" || !initramfsSuffices(facts, layout),
    target,
  };
  return {
    version: 1,
    image: `${facts.name}@${facts.version}`,
    instanceUuid,
    hostname: instance.hostname,
    firmware,
    disks: disks.map(({ path }) => path),
    target,
    steps: [
      checkDisksStep(layout),
      ...storageSteps(layout, instanceUuid, target),
      configDriveStep(job, layout, instanceUuid),
      layStep(image),
      configureStep(job, boot, family, instanceUuid),
      ...family.steps(boot),
      ...(hardware.firmware === "uefi" && firmware.includes("uefi")
        ? [firmwareEntriesStep(layout, family, facts)]
        : []),
      releaseStep(layout, target),
      ...afterSteps(job),
    ],
  };
}

function identify(hardware: Hardware, disks: string): string {
  const namespace = hardware.systemUuid ?? createHash("sha256").update(disks).digest("hex").slice(0, 32);
  return deriveUuid(namespace, `instance on ${disks}`);
}

/** A server that booted the rescue system by one firmware boots its disks by the same: that one must be there. */
function chooseFirmware(job: Job, hardware: Hardware, image: ImageFacts): Firmware[] {
  const carried = (["uefi", "bios"] as const).filter((firmware) => image.firmware[firmware]);
  const wanted = job.firmware === "auto" ? hardware.firmware : job.firmware;
  if (carried.includes(wanted)) return job.firmware === "auto" ? carried : [wanted];
  throw new Failure({
    code: "image-lacks-firmware",
    kind: "configuration",
    message: `${image.name}@${image.version} has no boot loader for ${wanted}, only for ${carried.join(", ") || "none"}`,
    hint: "build the image with that boot loader, or change the server's firmware setting",
  });
}

function chooseFamily(image: ImageFacts): Family {
  const family = findFamily(image.family);
  if (family) return family;
  throw new Failure({
    code: "family-unknown",
    kind: "configuration",
    message: `${image.name}@${image.version} is of the family ${image.family}, which this installer cannot make bootable`,
    hint: "use an image of the debian family",
  });
}

function checkPackages(job: Job, family: Family, image: ImageFacts, layout: Layout): void {
  const required = [...family.requiredPackages(layout), ...(job.phoneHome ? ["curl"] : [])];
  const missing = required.filter((name) => !image.preinstalled.includes(name));
  if (missing.length === 0) return;
  throw new Failure({
    code: "image-lacks-packages",
    kind: "configuration",
    message: `${image.name}@${image.version} lacks ${missing.join(", ")}, which this job needs (storage ${job.storage})`,
    hint: "build the image with `metalcast build`, which preinstalls them, or choose another storage",
    data: { missing },
  });
}

function checkLicense(job: Job, image: ImageFacts): void {
  if (image.license === "none" || job.license === "none") return;
  throw new Failure({
    code: "license-missing",
    kind: "configuration",
    message: `${image.name}@${image.version} needs a license (${image.license}) and the job gives none`,
    hint: "write `license: none` to register the system later, by hand",
  });
}

function initramfsSuffices({ initramfs }: ImageFacts, { arrays }: Layout): boolean {
  return (
    arrays.every(({ level }) => initramfs.modules.includes(`raid${level}`)) &&
    (arrays.length === 0 || initramfs.programs.includes("mdadm"))
  );
}

function checkDisksStep({ disks }: Layout): Step {
  return {
    kind: "check-disks",
    name: "check-disks",
    title: `check that ${disks.map(({ disk }) => disk.name).join(", ")} are as planned and free`,
    disks: disks.map(({ disk: { path, serial, sizeBytes } }) => ({ path, serial, sizeBytes })),
  };
}

/** User and vendor data often carry passwords: they are hidden in the plan. */
function configDriveStep({ instance }: Job, { disks }: Layout, instanceUuid: string): Step {
  const contents = configDriveFiles(instance, instanceUuid);
  checkConfigDriveFits(contents, configDriveBytes);
  const files = [...contents].map(([path, content]) => ({
    path,
    content: /\/(user_data|vendor_data\.json)$/.test(path) ? new Secret(content) : content,
  }));
  return {
    kind: "config-drive",
    name: "config-drive",
    title: `write the config drive of ${instance.hostname} to ${disks.length} disk(s)`,
    partitions: disks.map((disk) => partitionOf(disk, "config-drive").path),
    sizeBytes: configDriveBytes,
    files,
  };
}

function layStep({ facts, content }: PlannableImage): Step {
  const { name, version, unpackedBytes } = facts;
  if (content.kind === "tree") {
    const title = `copy the root file system of ${name}`;
    return { kind: "lay-tree", name: "lay-image", title, tree: content.path, unpackedBytes, target };
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

function configureStep({ phoneHome }: Job, boot: BootContext, family: Family, instanceUuid: string): Step {
  const { layout } = boot;
  return {
    kind: "write-files",
    name: "configure",
    title: "write fstab, array and boot configuration",
    target,
    files: [
      { path: "/etc/fstab", mode: 0o644, content: formatFstab(layout.filesystems) },
      ...family.files(boot),
      ...(phoneHome ? phoneHomeFiles({ ...phoneHome, instanceUuid }) : []),
    ],
  };
}

function firmwareEntriesStep({ disks }: Layout, { uefiLoader }: Family, { osRelease, name }: ImageFacts): Step {
  return {
    kind: "firmware-entries",
    name: "firmware-entries",
    title: `make ${disks.length} UEFI boot entries`,
    entries: disks.map((layout, index) => ({
      label: `${osRelease.NAME ?? name} (disk ${index + 1})`,
      disk: layout.disk.path,
      partition: partitionOf(layout, "esp").number,
      loader: uefiLoader,
    })),
  };
}

function afterSteps({ after }: Job): Step[] {
  if (after === "nothing") return [];
  return [{ kind: "commands", name: after, title: after === "reboot" ? "reboot" : "power off", commands: [[after]] }];
}
