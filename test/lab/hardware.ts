export type Firmware = "uefi" | "bios";

export interface LabDisk {
  /** Raw, sparse. */
  file: string;
  /** Shows in /dev/disk/by-id. */
  serial: string;
  /** Of a sector, logical and physical. */
  sectorBytes: 512 | 4096;
  /** In QEMU; User Mode Linux has SCSI alone. */
  bus: "scsi" | "nvme" | "virtio";
}

/** The address of every server's network card: QEMU's own for the first one. */
export const cardAddress = "52:54:00:12:34:56";

/** What a virtual server is made of, whichever machine runs it. */
export interface ServerHardware {
  name: string;
  /** Holds the server's disks, firmware variables and logs. */
  directory: string;
  disks: readonly LabDisk[];
  memoryMiB: number;
}
