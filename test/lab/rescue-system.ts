import { cp, mkdir, readdir, rm } from "node:fs/promises";
import { run } from "../../common/run.ts";
import { cached } from "./cache.ts";
import { buildRescueRoot } from "./rescue-root.ts";

/**
 * What QEMU's kernel needs to reach the rescue root; all else is loaded from there. ext4 does not name its checksum's
 * module.
 */
const initramfsModules = ["virtio_pci", "virtio_blk", "crc32c_generic", "ext4", "overlay"];

export interface RescueSystem {
  /** The root file system as a directory, never written to. */
  root: string;
  /** The same as an ext4 image for QEMU. */
  disk: string;
  /** Debian's kernel for QEMU. */
  kernel: string;
  /** Busybox and modules, to which every start adds its own layer. */
  initramfs: string;
}

/** The system that a server runs while it has none of its own. */
export async function buildRescueSystem(onLine?: (line: string) => void): Promise<RescueSystem> {
  const root = await buildRescueRoot(onLine);
  const directory = await cached("rescue-boot", { root, initramfsModules }, async (path) => {
    const kernel = (await readdir(`${root}/boot`)).find((name) => name.startsWith("vmlinuz-"));
    if (kernel === undefined) throw new Error("the rescue system has no kernel");
    await mkdir(path);
    await cp(`${root}/boot/${kernel}`, `${path}/vmlinuz`);
    await buildInitramfs(path, root, kernel.replace("vmlinuz-", ""));
    await run(
      "mke2fs",
      ["-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", root, `${path}/root.ext4`, "1500M"],
      {
        doing: "making the rescue system's disk",
      },
    );
  });
  return {
    root,
    disk: `${directory}/root.ext4`,
    kernel: `${directory}/vmlinuz`,
    initramfs: `${directory}/initramfs`,
  };
}

async function buildInitramfs(path: string, root: string, release: string): Promise<void> {
  const tree = `${path}/initramfs.d`;
  await mkdir(`${tree}/bin`, { recursive: true });
  await cp(`${root}/bin/busybox`, `${tree}/bin/busybox`);
  for (const name of ["modules.order", "modules.builtin"]) {
    await cp(`${root}/lib/modules/${release}/${name}`, `${tree}/lib/modules/${release}/${name}`);
  }
  const { stdout } = await run("modprobe", ["-d", root, "-S", release, "--show-depends", "-a", ...initramfsModules], {
    doing: "finding the modules of the rescue system's initramfs",
  });
  for (const [, file] of stdout.matchAll(/^insmod (\S+)/gm)) {
    if (file !== undefined) await cp(file, file.replace(root, tree));
  }
  await run("depmod", ["-b", tree, release], { doing: "listing the modules of the rescue system's initramfs" });
  await packInitramfs(tree, `${path}/initramfs`);
  await rm(tree, { recursive: true });
}

/** Packs a directory as the kernel wants it (Documentation/driver-api/early-userspace/buffer-format.rst). */
export async function packInitramfs(tree: string, file: string): Promise<void> {
  const { stdout } = await run("find", [".", "-mindepth", "1", "-print0"], {
    doing: "listing an initramfs",
    cwd: tree,
  });
  await run("cpio", ["--quiet", "--null", "--create", "--format=newc", "--owner=0:0", `--file=${file}`], {
    doing: "packing an initramfs",
    cwd: tree,
    input: stdout,
  });
}
