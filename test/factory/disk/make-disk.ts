import { mkdir, rm, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { run } from "../../../common/run.ts";

const mebibyte = 2 ** 20;

/** Files by their paths; a path that ends in a slash is an empty directory, a text that begins with "-> " a link. */
export type Files = Readonly<Record<string, string>>;

/** What an installed system has, as far as a disk's readers look. */
export function systemFiles(fstab: string, more: Files = {}): Files {
  const directories = ["boot/", "dev/", "home/", "proc/", "root/", "srv/", "tmp/", "var/"];
  return {
    ...Object.fromEntries(directories.map((name) => [name, ""])),
    "usr/lib/os-release": "ID=test\n",
    "etc/os-release": "-> ../usr/lib/os-release",
    "etc/fstab": fstab,
    ...more,
  };
}

async function writeFiles(root: string, files: Files): Promise<string> {
  await mkdir(root, { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, name);
    await mkdir(name.endsWith("/") ? path : dirname(path), { recursive: true });
    if (content.startsWith("-> ")) await symlink(content.slice(3), path);
    else if (!name.endsWith("/")) await writeFile(path, content);
  }
  return root;
}

/** Makes and fills file systems as files in a folder. */
export class FileSystemMaker {
  readonly #folder: string;
  #count = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async ext(files: Files, options: readonly string[] = [], kind = "ext4", sizeMebibytes = 16): Promise<string> {
    const { image, root } = await this.#start(files, sizeMebibytes);
    await run("mke2fs", ["-q", "-F", "-t", kind, "-d", root, ...options, image], { doing: `making an ${kind}` });
    return image;
  }

  async vfat(files: Files, options: readonly string[] = [], sizeMebibytes = 8): Promise<string> {
    const { image, root } = await this.#start(files, sizeMebibytes);
    await run("mkfs.vfat", [...options, image], { doing: "making a vfat" });
    const names = Object.keys(files).map((name) => join(root, name.split("/", 1)[0] ?? ""));
    const copied = [...new Set(names)];
    if (copied.length > 0) await run("mcopy", ["-i", image, "-s", "-m", ...copied, "::/"], { doing: "filling a vfat" });
    return image;
  }

  /** mkfs.xfs makes none below 300 MB. */
  async xfs(files: Files, options: readonly string[] = []): Promise<string> {
    const { image, root } = await this.#start(files, 300);
    await run("mkfs.xfs", ["-q", ...options, image], { doing: "making an xfs" });
    await this.fill(image, `cp -a "${root}/." .`);
    return image;
  }

  /** @param script runs in the top level of the new file system, $1 is the folder with the files */
  async btrfs(files: Files, script: string, options: readonly string[] = []): Promise<string> {
    const { image, root } = await this.#start(files, 128);
    await run("mkfs.btrfs", ["-q", ...options, image], { doing: "making a btrfs" });
    await this.fill(image, script, root);
    return image;
  }

  /** Runs a script in a file system mounted for writing, where nobody else sees it. */
  async fill(image: string, script: string, ...args: string[]): Promise<void> {
    const whole = `set -eu; mount -o loop "$1" "$2"; cd "$2"; shift 2; ${script}`;
    const mountPoint = await this.#folderOf("mounted");
    const command = ["--mount", "--propagation", "private", "sh", "-c", whole, "fill", image, mountPoint, ...args];
    await run("unshare", command, { doing: "filling a file system" });
  }

  async #start(files: Files, sizeMebibytes: number) {
    this.#count += 1;
    const image = join(this.#folder, `${this.#count}.image`);
    const root = await this.#folderOf("content");
    await rm(root, { recursive: true });
    await writeFiles(root, files);
    await writeFile(image, "");
    await truncate(image, sizeMebibytes * mebibyte);
    return { image, root };
  }

  async #folderOf(name: string): Promise<string> {
    const path = join(this.#folder, name);
    await mkdir(path, { recursive: true });
    return path;
  }
}

export interface PartSpecification {
  /** GPT: one of the names below. MBR: the byte. */
  type: string;
  /** What to put into it. */
  image: string;
  number?: number;
  name?: string;
  uuid?: string;
}

/** Lays file systems one after the other into a disk with a GPT. */
export async function makeGptDisk(disk: string, parts: readonly PartSpecification[]): Promise<string> {
  const lines = (await lay(disk, parts)).map(({ type, number, name = "", uuid, start, end }, index) => {
    const fields = [`start=${start}`, `size=${end - start + 1}`, `type=${gptTypes[type] ?? type}`, `name="${name}"`];
    if (uuid) fields.push(`uuid=${uuid}`);
    return `${number ?? index + 1} : ${fields.join(", ")}`;
  });
  await partition(disk, ["label: gpt", ...lines]);
  return disk;
}

/** sgdisk would know these, but takes a second's rest after each disk. */
const gptTypes: Readonly<Record<string, string>> = {
  "bios-boot": "21686148-6449-6E6F-744E-656564454649",
  efi: "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
  boot: "BC13C2FF-59E6-4262-A352-B275FD6F7172",
  root: "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709",
  home: "933AC7E1-2EB4-4F13-B844-0E14E2AEF915",
  linux: "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
  lvm: "E6D6D379-F507-44C2-A23C-238F2A3DF928",
  luks: "CA7D7CCB-63ED-4C53-861C-1742536059CC",
};

/** The same with an MBR. What lies in an extended partition comes last and counts from 5. */
export async function makeMbrDisk(
  disk: string,
  primary: readonly PartSpecification[],
  logical: readonly PartSpecification[] = [],
): Promise<string> {
  const laid = await lay(disk, [...primary, ...logical]);
  const lines = laid.map(({ type, start, end }) => `start=${start}, size=${end - start + 1}, type=${type}`);
  const [first, last] = [laid[primary.length], laid.at(-1)];
  if (first && last) {
    const start = first.start - 1024;
    lines.splice(primary.length, 0, `start=${start}, size=${last.end - start + 1}, type=5`);
  }
  await partition(disk, ["label: dos", "label-id: 0x1234abcd", ...lines]);
  return disk;
}

async function partition(disk: string, lines: readonly string[]): Promise<void> {
  const options = ["-q", "--no-reread", "--no-tell-kernel", "--wipe", "never", disk];
  await run("sfdisk", options, { doing: "partitioning", input: `${lines.join("\n")}\n` });
}

/** @returns each part with its first and last sector */
async function lay(disk: string, parts: readonly PartSpecification[]) {
  const laid: (PartSpecification & { start: number; end: number })[] = [];
  let position = mebibyte;
  await writeFile(disk, "");
  for (const part of parts) {
    const { size } = await stat(part.image);
    await run(
      "dd",
      [`if=${part.image}`, `of=${disk}`, "bs=1M", `seek=${position / mebibyte}`, "conv=notrunc,sparse", "status=none"],
      {
        doing: "laying a file system",
      },
    );
    laid.push({ ...part, start: position / 512, end: (position + size) / 512 - 1 });
    // One MiB between them, for extended boot records.
    position += Math.ceil(size / mebibyte) * mebibyte + mebibyte;
  }
  await truncate(disk, position + mebibyte);
  return laid;
}

/** A file of this many MiB with nothing in it. */
export async function makeEmpty(path: string, sizeMebibytes: number): Promise<string> {
  await writeFile(path, "");
  await truncate(path, sizeMebibytes * mebibyte);
  return path;
}
