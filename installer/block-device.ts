import { z } from "zod";
import { run } from "../common/run.ts";

/** One line of lsblk(8): a disk, or what lies on it, with what lies on that in turn. */
export interface BlockDevice {
  path: string;
  /** "8:1", as /proc/self/mountinfo has it. */
  number: string;
  /** disk, part, loop, lvm, crypt, raid1, ... */
  type: string;
  sizeBytes: number;
  logicalSectorBytes: number;
  model: string;
  vendor: string;
  serial: string;
  wwn: string;
  hctl: string;
  transport: string;
  rotational: boolean;
  readOnly: boolean;
  /** Of the file system on it. */
  label: string;
  /** Of the partition table on it or that it belongs to. */
  tableUuid: string;
  mountPoints: string[];
  children: BlockDevice[];
}

const text = z
  .string()
  .nullable()
  .transform((value) => value?.trim() ?? "");

const columns = {
  // Without it, lsblk gives a flat list, not trees.
  name: z.string(),
  path: z.string(),
  "maj:min": z.string(),
  type: z.string(),
  size: z.number(),
  "log-sec": z.number(),
  model: text,
  vendor: text,
  serial: text,
  wwn: text,
  hctl: text,
  tran: text,
  rota: z.boolean(),
  ro: z.boolean(),
  label: text,
  ptuuid: text,
  mountpoints: z.array(z.string().nullable()),
};

const rowSchema = z.object(columns).transform((row) => ({
  path: row.path,
  number: row["maj:min"].trim(),
  type: row.type,
  sizeBytes: row.size,
  logicalSectorBytes: row["log-sec"],
  model: row.model,
  vendor: row.vendor,
  serial: row.serial,
  wwn: row.wwn,
  hctl: row.hctl,
  transport: row.tran,
  rotational: row.rota,
  readOnly: row.ro,
  label: row.label,
  tableUuid: row.ptuuid,
  mountPoints: row.mountpoints.filter((point) => point !== null),
}));

const branchSchema = z.looseObject({ children: z.array(z.unknown()).default([]) });

function readDevice(value: unknown): BlockDevice {
  return { ...rowSchema.parse(value), children: branchSchema.parse(value).children.map(readDevice) };
}

/** All block devices that the kernel has, as trees: what lies on several disks is below each of them. */
export async function listBlockDevices(signal?: AbortSignal): Promise<BlockDevice[]> {
  const { stdout } = await run("lsblk", ["--json", "--bytes", "--output", Object.keys(columns).join(",")], {
    doing: "listing the disks",
    ...(signal && { signal }),
  });
  return z
    .object({ blockdevices: z.array(z.unknown()) })
    .parse(JSON.parse(stdout))
    .blockdevices.map(readDevice);
}

/** A device and all that lies on it, itself first. */
export function withDescendants(device: BlockDevice): BlockDevice[] {
  return [device, ...device.children.flatMap(withDescendants)];
}
