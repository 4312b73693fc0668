import { randomUUID } from "node:crypto";
import { cp, mkdir, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { run } from "../../common/run.ts";

const sector = 512;
const sizeBytes = 3 * 2 ** 30;
const esp = { first: 8192, last: 262_143 };
const rootFirst = 262_144;
/** The backup GPT takes the last 33 sectors; the root ends on a whole MiB before it. */
const rootLast = sizeBytes / sector - 2048 - 1;

/**
 * Lays a root file system out as the vendor's disk: GPT, partition 14 for BIOS boot, 15 the EFI system partition, 1 the
 * root (ext4, all the rest). Nothing is mounted: the file systems are written at their offsets.
 */
export async function buildVendorDisk(root: string, disk: string): Promise<void> {
  const rootId = randomUUID();
  const espId = randomUUID();
  const rootUuid = randomUUID();
  await writeFile(
    `${root}/etc/fstab`,
    [
      `PARTUUID=${rootId} / ext4 rw,discard,errors=remount-ro,x-systemd.growfs 0 1`,
      `PARTUUID=${espId} /boot/efi vfat defaults 0 0`,
      "",
    ].join("\n"),
  );
  await mkdir(`${root}/boot/efi`, { recursive: true });
  await writeGrubConfiguration(root, rootUuid, rootId);

  await writeFile(disk, "");
  await truncate(disk, sizeBytes);
  await run(
    "sgdisk",
    [
      ...["-a1", "-n14:2048:8191", "-t14:EF02", `-n15:${esp.first}:${esp.last}`, "-t15:EF00", `-u15:${espId}`],
      // Linux root (x86-64), UAPI's discoverable partitions specification.
      ...[`-n1:${rootFirst}:${rootLast}`, "-t1:8304", `-u1:${rootId}`, disk],
    ],
    { doing: "partitioning the vendor image" },
  );
  await run(
    "mke2fs",
    [
      ...["-q", "-t", "ext4", "-U", rootUuid, "-d", root, "-E", `offset=${rootFirst * sector}`],
      ...[disk, `${((rootLast - rootFirst + 1) * sector) / 1024}k`],
    ],
    { doing: "making the vendor image's root file system" },
  );
  await makeEsp(root, disk, rootUuid);
}

/** What grub-mkconfig writes on the vendor's build machine, where it can probe the disk. */
async function writeGrubConfiguration(root: string, rootUuid: string, rootId: string): Promise<void> {
  const [kernel] = (await readdir(`${root}/boot`)).filter((name) => name.startsWith("vmlinuz-"));
  if (kernel === undefined) throw new Error("the vendor image has no kernel");
  await mkdir(`${root}/boot/grub`, { recursive: true });
  await writeFile(
    `${root}/boot/grub/grub.cfg`,
    `search --no-floppy --fs-uuid --set=root ${rootUuid}
set timeout=5
menuentry 'Debian GNU/Linux' {
  linux /boot/${kernel} root=PARTUUID=${rootId} ro console=tty0 console=ttyS0,115200 earlyprintk=ttyS0,115200 consoleblank=0
  initrd /boot/${kernel.replace("vmlinuz", "initrd.img")}
}
`,
  );
}

/** Signed shim and GRUB, under the vendor's name and at the removable media path (UEFI specification, 3.5.1.1). */
async function makeEsp(root: string, disk: string, rootUuid: string): Promise<void> {
  const tree = `${disk}.esp.d`;
  const shim = `${root}/usr/lib/shim/shimx64.efi.signed`;
  const grub = `${root}/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed`;
  await mkdir(`${tree}/EFI/BOOT`, { recursive: true });
  await mkdir(`${tree}/EFI/debian`);
  await cp(shim, `${tree}/EFI/BOOT/BOOTX64.EFI`);
  await cp(shim, `${tree}/EFI/debian/shimx64.efi`);
  for (const directory of ["BOOT", "debian"]) await cp(grub, `${tree}/EFI/${directory}/grubx64.efi`);
  await writeFile(
    `${tree}/EFI/debian/grub.cfg`,
    `search.fs_uuid ${rootUuid} root\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n`,
  );
  const offset = esp.first * sector;
  const kibibytes = ((esp.last - esp.first + 1) * sector) / 1024;
  await run("mkfs.vfat", ["--offset", String(esp.first), "-F", "16", disk, String(kibibytes)], {
    doing: "making the vendor image's EFI system partition",
  });
  await run("mcopy", ["-s", "-i", `${disk}@@${offset}`, `${tree}/EFI`, "::"], {
    doing: "filling the vendor image's ESP",
  });
  await rm(tree, { recursive: true });
}
