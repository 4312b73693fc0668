import { createHash } from "node:crypto";
import { chmod, copyFile, mkdir, readFile, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { run } from "../../common/run.ts";

export interface TinyImage {
  path: string;
  checksum: string;
}

const partitionOffset = 2 ** 20;
const partitionBytes = 64 * 2 ** 20;

/**
 * The smallest vendor image in which a script can run: a GPT with an ext4 root that holds a shell with its libraries,
 * as a compressed qcow2. Made in seconds, for tests of the way and not of the contents.
 */
export async function makeTinyImage(folder: string): Promise<TinyImage> {
  const root = join(folder, "root");
  for (const directory of ["dev", "proc", "run", "sys", "tmp", "boot", "usr/lib", "var/lib/dpkg", "etc"]) {
    await mkdir(join(root, directory), { recursive: true });
  }
  await writeFile(join(root, "usr/lib/os-release"), "ID=debian\nVERSION_ID=12\n");
  await writeFile(join(root, "var/lib/dpkg/status"), "");
  for (const program of [
    "/bin/sh",
    "/usr/bin/env",
    "/bin/mv",
    "/bin/cp",
    "/bin/rm",
    "/bin/cat",
    "/bin/ls",
    "/bin/mknod",
  ]) {
    await copyWithLibraries(program, root);
  }
  const fileSystem = join(folder, "root.ext4");
  const disk = join(folder, "disk.raw");
  const path = join(folder, "vendor.qcow2");
  await writeFile(fileSystem, "");
  await truncate(fileSystem, partitionBytes);
  await run("mke2fs", ["-q", "-t", "ext4", "-d", root, fileSystem], { doing: "making the root file system" });
  await writeFile(disk, "");
  await truncate(disk, partitionBytes + 2 * partitionOffset);
  const layout = ["-n", `1:2048:+${partitionBytes / 1024}K`, "-t", "1:8304", disk];
  await run("sgdisk", layout, { doing: "partitioning" });
  const place = [`of=${disk}`, "bs=1M", `seek=${partitionOffset / 2 ** 20}`, "conv=notrunc,sparse", "status=none"];
  await run("dd", [`if=${fileSystem}`, ...place], { doing: "placing the file system" });
  await run("qemu-img", ["convert", "-c", "-O", "qcow2", disk, path], { doing: "making a qcow2" });
  const digest = createHash("sha512")
    .update(await readFile(path))
    .digest("hex");
  return { path, checksum: `sha512:${digest}` };
}

async function copyWithLibraries(program: string, root: string): Promise<void> {
  const { stdout } = await run("ldd", [program], { doing: "listing libraries" });
  for (const file of [program, ...(stdout.match(/\/\S+/g) ?? [])]) {
    const target = join(root, file);
    await mkdir(dirname(target), { recursive: true });
    await copyFile(file, target);
    await chmod(target, 0o755);
  }
}
