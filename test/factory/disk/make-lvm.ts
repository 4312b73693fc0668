import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../../common/run.ts";
import { makeEmpty } from "./make-disk.ts";

const extentMebibytes = 4;
/** LVM2's default: metadata takes the first MiB. */
const firstExtentMebibytes = 1;

/**
 * An LVM2 physical volume in a file, made by lvm2 itself: without device-mapper it cannot activate, but allocates and
 * writes its metadata all the same (lvm(8), --driverloaded).
 */
export class LvmMaker implements AsyncDisposable {
  readonly image: string;
  readonly #group: string;
  readonly #devices: string[] = [];
  readonly #locks: string;

  private constructor(folder: string, group: string) {
    this.image = join(folder, `${group}.image`);
    this.#group = group;
    this.#locks = join(folder, "locks");
  }

  static async create(folder: string, group: string, sizeMebibytes = 128): Promise<LvmMaker> {
    const maker = new LvmMaker(folder, group);
    await mkdir(maker.#locks, { recursive: true });
    const device = await maker.#attach(maker.image, sizeMebibytes);
    await maker.#lvm("pvcreate", device);
    await maker.#lvm("vgcreate", group, device);
    return maker;
  }

  /** @param options e.g. two stripes: `-i2`, `-I64k` */
  async add(volume: string, extents: number, ...options: string[]): Promise<void> {
    const inactive = ["--activate", "n", "--zero", "n", "--wipesignatures", "n", "--alloc", "anywhere"];
    await this.#lvm("lvcreate", ...inactive, "--name", volume, "--extents", String(extents), ...options, this.#group);
  }

  async extend(volume: string, extents: number): Promise<void> {
    await this.#lvm("lvextend", "--extents", `+${extents}`, `${this.#group}/${volume}`);
  }

  /** Adds a volume that lies on a second physical volume. */
  async addElsewhere(volume: string): Promise<void> {
    const device = await this.#attach(`${this.image}.second`, 64);
    await this.#lvm("vgextend", this.#group, device);
    const inactive = ["--activate", "n", "--zero", "n", "--wipesignatures", "n"];
    await this.#lvm("lvcreate", ...inactive, "--name", volume, "--extents", "1", this.#group, device);
  }

  /** Writes a file system into a linear volume, extent by extent, as lvs tells where these lie. */
  async fill(volume: string, image: string): Promise<void> {
    const report = ["--noheadings", "--options", "seg_pe_ranges", `${this.#group}/${volume}`];
    const { stdout } = await this.#lvm("lvs", ...report);
    let done = 0;
    for (const [, first, last] of stdout.matchAll(/:(\d+)-(\d+)/g)) {
      const count = (Number(last) - Number(first) + 1) * extentMebibytes;
      const seek = firstExtentMebibytes + Number(first) * extentMebibytes;
      const places = [`skip=${done}`, `seek=${seek}`, `count=${count}`, "conv=notrunc", "status=none"];
      await run("dd", [`if=${image}`, `of=${this.image}`, "bs=1M", ...places], { doing: "filling a logical volume" });
      done += count;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const device of this.#devices) await run("losetup", ["--detach", device], { doing: "detaching" });
  }

  async #attach(path: string, sizeMebibytes: number): Promise<string> {
    await makeEmpty(path, sizeMebibytes);
    const { stdout } = await run("losetup", ["--find", "--show", path], { doing: "attaching" });
    this.#devices.push(stdout.trim());
    return stdout.trim();
  }

  #lvm(command: string, ...args: string[]) {
    const accepted = this.#devices.map((device) => `"a|^${device}$|",`).join(" ");
    const configuration = [
      `devices { filter=[${accepted} "r|.*|"] use_devicesfile=0 hints="none" }`,
      `global { locking_dir="${this.#locks}" }`,
      "activation { udev_sync=0 udev_rules=0 monitoring=0 } backup { backup=0 archive=0 }",
    ].join(" ");
    return run(command, ["--driverloaded", "n", "--quiet", "--config", configuration, ...args], {
      doing: "making LVM",
      env: { LVM_SUPPRESS_FD_WARNINGS: "1" },
    });
  }
}
