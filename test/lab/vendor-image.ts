import { mkdir, writeFile } from "node:fs/promises";
import { run } from "../../common/run.ts";
import { digestFile } from "../../factory/checksum.ts";
import type { ImageFormat } from "../../factory/image-format.ts";
import { cached } from "./cache.ts";
import { buildRootFileSystem, type DebianRelease } from "./debian.ts";
import { writeOva } from "./ova.ts";
import { buildVendorDisk } from "./vendor-disk.ts";

/**
 * What Debian's own genericcloud image holds beyond priority "important", as far as Metalcast meets it: no mdadm, no
 * lvm2, no full kernel.
 */
const packages = [
  "ca-certificates cloud-guest-utils cloud-init curl grub-cloud-amd64 linux-image-cloud-amd64 locales netplan.io openssh-server",
  "python3 sudo systemd-resolved systemd-sysv systemd-timesyncd unattended-upgrades",
].flatMap((line) => line.split(" "));

const hooks = [
  // genericcloud is configured by netplan; with ifupdown there cloud-init would write its files instead.
  'chroot "$1" apt-get purge -qq ifupdown',
  'chroot "$1" systemctl enable --quiet systemd-networkd',
  'echo LANG=C.UTF-8 >"$1/etc/default/locale"',
  'rm -f "$1"/etc/ssh/ssh_host_*_key* "$1"/var/log/*.log "$1"/var/lib/systemd/random-seed',
  'truncate -s 0 "$1/etc/machine-id"; echo localhost >"$1/etc/hostname"',
  'rm -rf "$1"/var/cache/apt/*.bin "$1"/var/lib/apt/lists/*',
];

/** How the lab makes each format of one and the same disk, or of its root file system. */
const writers = {
  qcow2: ({ disk }: Parts, file: string) =>
    run("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", "-c", "-m", "4", "-W", disk, file], {
      doing: "making a qcow2",
    }),
  "raw.xz": ({ disk }: Parts, file: string) =>
    run("xz", ["-1", "-T0", "--stdout", disk], {
      doing: "compressing a raw disk",
      consume: (stdout) => writeFile(file, stdout),
    }),
  ova: ({ disk }: Parts, file: string) => writeOva(disk, file),
  "tar.zst": ({ root }: Parts, file: string) => {
    const keep = ["--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls"];
    return run("tar", ["--zstd", "-cf", file, "-C", root, ...keep, "."], { doing: "packing the root file system" });
  },
} satisfies Partial<Record<ImageFormat, (parts: Parts, file: string) => Promise<unknown>>>;

interface Parts {
  /** A directory. */
  root: string;
  /** A raw, sparse file. */
  disk: string;
}

export interface VendorImageKind {
  release: DebianRelease;
  format: keyof typeof writers;
}

export interface VendorImage {
  file: string;
  format: ImageFormat;
  /** As the factory takes it: `sha512:DIGEST`. */
  checksum: string;
}

/**
 * A Debian cloud image as Debian publishes it (debian-12-genericcloud-amd64.qcow2), made from Debian's packages so that
 * the tests need nothing but a package mirror. Its layout is that of debian-cloud-images' FAI configuration. It has the
 * whole UEFI boot path, and an empty BIOS boot partition.
 */
export async function buildVendorImage(
  { release, format }: VendorImageKind,
  onLine?: (line: string) => void,
): Promise<VendorImage> {
  const parts = await buildParts(release, onLine);
  const file = await cached(`vendor-${release}-${format.replace(".", "-")}`, { parts, format }, async (path) => {
    await writers[format](parts, path);
  });
  return { file, format, checksum: `sha512:${await digestFile(file, "sha512")}` };
}

async function buildParts(release: DebianRelease, onLine?: (line: string) => void): Promise<Parts> {
  const directory = await cached(`vendor-${release}`, { packages, hooks, recipe: 2 }, async (path) => {
    await mkdir(path);
    const root = `${path}/root`;
    await buildRootFileSystem({
      ...{ release, directory: root, variant: "important", packages, hooks },
      ...(onLine && { onLine }),
    });
    await buildVendorDisk(root, `${path}/disk.raw`);
  });
  return { root: `${directory}/root`, disk: `${directory}/disk.raw` };
}
