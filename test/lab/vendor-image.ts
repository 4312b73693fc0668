import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { run } from "../../common/run.ts";
import { cached } from "./cache.ts";
import { buildRootFileSystem } from "./debian.ts";
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

export interface VendorImage {
  /** A qcow2 with zlib-compressed clusters. */
  file: string;
  /** In hexadecimal, as in the SHA512SUMS that the vendor publishes. */
  sha512: string;
}

/**
 * A Debian 12 cloud image as Debian publishes it (debian-12-genericcloud-amd64.qcow2), made from Debian's packages so
 * that the tests need nothing but a package mirror. Its layout is that of debian-cloud-images' FAI configuration. It
 * has the whole UEFI boot path, and an empty BIOS boot partition.
 */
export async function buildVendorImage(onLine?: (line: string) => void): Promise<VendorImage> {
  const directory = await cached("vendor-image", { packages, hooks, recipe: 1 }, async (path) => {
    const root = `${path}/root`;
    await mkdir(path);
    await buildRootFileSystem({ directory: root, variant: "important", packages, hooks, ...(onLine && { onLine }) });
    await buildVendorDisk(root, `${path}/disk.raw`);
    const file = `${path}/${fileName}`;
    await run("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", "-c", "-m", "4", "-W", `${path}/disk.raw`, file], {
      doing: "compressing the vendor image",
    });
    await rm(root, { recursive: true });
    await rm(`${path}/disk.raw`);
    await writeFile(`${path}/SHA512SUMS`, `${await sha512Of(file)}  ${fileName}\n`);
  });
  const [sha512 = ""] = (await readFile(`${directory}/SHA512SUMS`, "utf8")).split(" ");
  return { file: `${directory}/${fileName}`, sha512 };
}

const fileName = "debian-12-genericcloud-amd64.qcow2";

async function sha512Of(file: string): Promise<string> {
  const hash = createHash("sha512");
  await pipeline(createReadStream(file, { highWaterMark: 2 ** 20 }), hash);
  return hash.digest("hex");
}
