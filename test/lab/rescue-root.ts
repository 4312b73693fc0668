import { cp, readdir } from "node:fs/promises";
import { run } from "../../common/run.ts";
import { cached } from "./cache.ts";
import { buildRootFileSystem } from "./debian.ts";

const packages = [
  "acl attr btrfs-progs busybox-static ca-certificates cryptsetup-bin curl dmidecode dosfstools e2fsprogs efibootmgr fdisk gdisk",
  "gpgv iproute2 kexec-tools kmod less libstdc++6 linux-image-amd64 lvm2 mdadm mount mtools nvme-cli openssh-client parted pciutils",
  "procps psmisc tar udev util-linux xfsprogs xorriso zstd",
].flatMap((line) => line.split(" "));

const hooks = [
  // What lies on the disks is the installer's to find and to take apart; nothing may assemble it before.
  'echo "AUTO -all" >"$1/etc/mdadm/mdadm.conf"',
  'echo "10.0.2.2 host.lab" >>"$1/etc/hosts"',
  'rm -rf "$1"/usr/share/doc/* "$1"/usr/share/man/* "$1"/usr/share/locale/* "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/*',
];

const umlModules = "/usr/lib/uml/modules";

/**
 * The root file system of the rescue system: Debian's tools for disks, the Node that runs this, and the modules of
 * QEMU's kernel and of User Mode Linux's. Both kernels are Debian 12's 6.1: a newer one makes md arrays that the
 * installed system cannot read.
 *
 * @returns its directory, never written to
 */
export async function buildRescueRoot(onLine?: (line: string) => void): Promise<string> {
  const umlReleases = await readdir(umlModules);
  return cached("rescue-root", { packages, hooks, umlReleases, node: process.version }, async (root) => {
    await buildRootFileSystem({
      release: "bookworm",
      directory: root,
      variant: "minbase",
      packages,
      hooks,
      // The lab has an initramfs of its own; initramfs-tools' /etc/kernel/postinst.d script reads this.
      env: { INITRD: "No" },
      ...(onLine && { onLine }),
    });
    await cp(process.execPath, `${root}/usr/bin/node`);
    for (const release of umlReleases) {
      await cp(`${umlModules}/${release}`, `${root}/lib/modules/${release}`, { recursive: true });
      await run("depmod", ["-b", root, release], { doing: "listing the modules of User Mode Linux" });
    }
  });
}
