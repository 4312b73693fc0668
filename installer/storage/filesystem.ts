import type { Step } from "../step.ts";

/** A file system of the target, and where it is mounted there. */
export interface Filesystem {
  type: "ext4" | "vfat";
  device: string;
  label: string;
  /** As mkfs takes it: a UUID, or eight hexadecimal digits for vfat. */
  id: string;
  mountPoint: string;
  mountOptions: string;
  /** fsck order: fstab(5), field 6. */
  checkPass: 0 | 1 | 2;
}

export function formatStep({ type, device, label, id }: Filesystem, name: string): Step {
  const make = {
    ext4: ["mkfs.ext4", "-F", "-q", "-L", label, "-U", id, device],
    vfat: ["mkfs.vfat", "-F", "32", "-n", label, "-i", id, device],
  } as const;
  return {
    kind: "commands",
    name: `format-${name}`,
    title: `make ${type} ${label}`,
    commands: [make[type], ["udevadm", "settle"]],
  };
}

/** File systems must come in the order of their mount points, `/` first. */
export function mountStep(filesystems: readonly Filesystem[], target: string): Step {
  return {
    kind: "commands",
    name: "mount",
    title: `mount ${filesystems.map(({ mountPoint }) => mountPoint).join(", ")}`,
    commands: filesystems.flatMap(({ type, device, mountPoint }) => {
      const directory = mountPoint === "/" ? target : `${target}${mountPoint}`;
      return [
        ["mkdir", "--parents", directory],
        ["mount", "-t", type, device, directory],
      ] as const;
    }),
  };
}

/** fstab(5), by UUID, since device names change between boots. */
export function formatFstab(filesystems: readonly Filesystem[]): string {
  const lines = filesystems.map(({ type, id, mountPoint, mountOptions, checkPass }) => {
    const uuid = type === "vfat" ? `${id.slice(0, 4)}-${id.slice(4)}` : id;
    return `UUID=${uuid} ${mountPoint} ${type} ${mountOptions} 0 ${checkPass}\n`;
  });
  return `# <file system> <mount point> <type> <options> <dump> <pass>\n${lines.join("")}`;
}
