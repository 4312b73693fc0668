import { mkdir, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { run } from "../../../common/run.ts";

const doing = "making a disk that can fail";
const configuration = "/sys/kernel/config";
const target = `${configuration}/target`;
/** Beside that of the lab's own disks: test/lab/rescue/scsi-disks.sh. */
const portal = `${target}/loopback/naa.6001405000000011/tpgt_1`;
const sectorBytes = 512;

/** Bytes of a disk, from `start` up to `end`. */
interface Region {
  start: number;
  end: number;
}

/**
 * A SCSI disk of the rescue system's that fails when told to: the kernel's SCSI target over device mapper over a file in
 * memory. The file is what really is on the disk, whatever becomes of it.
 */
export class FaultyDisk {
  readonly serial: string;
  readonly file: string;
  readonly #sizeBytes: number;
  readonly #number: number;

  private constructor(serial: string, sizeBytes: number, number: number) {
    this.serial = serial;
    this.file = `/tmp/${serial}.img`;
    this.#sizeBytes = sizeBytes;
    this.#number = number;
  }

  /** @param number of several, from 0 */
  static async plugIn(serial: string, sizeBytes: number, number: number): Promise<FaultyDisk> {
    const disk = new FaultyDisk(serial, sizeBytes, number);
    await openPortal();
    await writeFile(disk.file, "");
    await truncate(disk.file, sizeBytes);
    await run("losetup", [disk.#loop, disk.file], { doing });
    await run("dmsetup", ["create", disk.#mapping], { doing, input: disk.#table() });
    await mkdir(disk.#backend, { recursive: true });
    await writeFile(`${disk.#backend}/wwn/vendor_id`, "QEMU");
    await writeFile(`${disk.#backend}/wwn/product_id`, "QEMU HARDDISK");
    await writeFile(`${disk.#backend}/wwn/vpd_unit_serial`, serial);
    await writeFile(`${disk.#backend}/control`, `udev_path=/dev/mapper/${disk.#mapping}`);
    await writeFile(`${disk.#backend}/enable`, "1");
    await disk.connect();
    return disk;
  }

  /** What is written to the region, or anywhere, ends in an error; what is there can be read. */
  async failWrites(region: Region = { start: 0, end: this.#sizeBytes }): Promise<void> {
    await this.#load(this.#table(region));
  }

  async repair(): Promise<void> {
    await this.#load(this.#table());
  }

  /** As if it was pulled: the kernel forgets it in the midst of whatever goes on. */
  async vanish(): Promise<void> {
    await writeFile(await this.vanishingFile(), "1");
  }

  /** Whoever writes "1" to it makes the disk vanish. */
  async vanishingFile(): Promise<string> {
    const { stdout } = await run("lsblk", ["--nodeps", "--noheadings", "--output", "NAME,SERIAL"], { doing });
    const name = stdout
      .split("\n")
      .find((line) => line.endsWith(` ${this.serial}`))
      ?.split(" ")[0];
    return `/sys/block/${name}/device/delete`;
  }

  /** Takes it out, if it is there, and plugs it in again. */
  async reconnect(): Promise<void> {
    await rm(`${this.#unit}/disk`);
    await this.connect();
  }

  async connect(): Promise<void> {
    await mkdir(this.#unit, { recursive: true });
    await symlink(this.#backend, `${this.#unit}/disk`);
    await run("udevadm", ["settle"], { doing });
  }

  get #unit(): string {
    return `${portal}/lun/lun_${this.#number}`;
  }

  get #loop(): string {
    return `/dev/loop${this.#number}`;
  }

  get #mapping(): string {
    return `faulty-${this.serial}`;
  }

  get #backend(): string {
    return `${target}/core/iblock_${this.#number}/disk`;
  }

  /** Documentation/admin-guide/device-mapper/dm-flakey.rst: always "down", and then `error_writes`. */
  #table(failing: Region = { start: 0, end: 0 }): string {
    const all = [
      { start: 0, end: failing.start, isFailing: false },
      { ...failing, isFailing: true },
      { start: failing.end, end: this.#sizeBytes, isFailing: false },
    ];
    const lines = all
      .filter(({ start, end }) => end > start)
      .map(({ start, end, isFailing }) => {
        const from = start / sectorBytes;
        const sectors = (end - start) / sectorBytes;
        const kind = isFailing ? "flakey" : "linear";
        return `${from} ${sectors} ${kind} ${this.#loop} ${from}${isFailing ? " 0 3600 1 error_writes" : ""}\n`;
      });
    return lines.join("");
  }

  async #load(table: string): Promise<void> {
    await run("dmsetup", ["load", this.#mapping], { doing, input: table });
    await run("dmsetup", ["suspend", "--noflush", "--nolockfs", this.#mapping], { doing });
    await run("dmsetup", ["resume", this.#mapping], { doing });
  }
}

async function openPortal(): Promise<void> {
  await run("modprobe", ["--all", "sd_mod", "target_core_mod", "target_core_iblock", "tcm_loop", "dm-flakey"], {
    doing,
  });
  await run("mount", ["-t", "configfs", "configfs", configuration], { doing, accept: [0, 32] });
  const isNew = await mkdir(portal, { recursive: true });
  if (isNew !== undefined) await writeFile(`${portal}/nexus`, "naa.6001405000000012");
}
