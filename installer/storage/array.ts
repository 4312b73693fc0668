import { deriveUuid } from "../identity.ts";
import type { Step } from "../step.ts";

/** A Linux software RAID array. */
export interface ArrayLayout {
  name: string;
  /** Where it appears while it is assembled. */
  path: string;
  level: 1;
  members: readonly string[];
  /** mdadm writes it in four groups of eight digits. */
  uuid: string;
  homehost: string;
}

export function layOutArray(
  name: string,
  members: readonly string[],
  instanceUuid: string,
  hostname: string,
): ArrayLayout {
  const digits = deriveUuid(instanceUuid, `array ${name}`).replaceAll("-", "");
  const uuid = digits.match(/.{8}/g)?.join(":") ?? digits;
  return { name, path: `/dev/md/${name}`, level: 1, members, uuid, homehost: hostname };
}

/**
 * The members of a mirror count as equal from the start (--assume-clean): whatever is read has been written to both
 * before, and no resync competes with the installation. Blocks that nothing has written yet may differ.
 */
export function assembleStep({ name, path, level, members, uuid, homehost }: ArrayLayout): Step {
  const create = [
    "--create",
    path,
    "--run",
    `--level=${level}`,
    `--raid-devices=${members.length}`,
    "--metadata=1.2",
    "--bitmap=internal",
    "--assume-clean",
    `--name=${name}`,
    `--homehost=${homehost}`,
    `--uuid=${uuid}`,
    ...members,
  ];
  return {
    kind: "commands",
    name: `assemble-${name}`,
    title: `assemble RAID${level} ${name} of ${members.length} disks`,
    commands: [
      ["udevadm", "settle"],
      ["mdadm", ...create],
      ["udevadm", "wait", "--settle", "--timeout=60", path],
      ["wipefs", "--all", "--force", "--quiet", path],
    ],
  };
}

/** The array's line in mdadm.conf: mdadm.conf(5). */
export function describeArray({ path, uuid, homehost, name }: ArrayLayout): string {
  return `ARRAY ${path} metadata=1.2 UUID=${uuid} name=${homehost}:${name}`;
}
