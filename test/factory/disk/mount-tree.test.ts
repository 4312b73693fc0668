import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { run } from "../../../common/run.ts";
import { makeEmpty, makeGptDisk, makeMbrDisk, systemFiles } from "./make-disk.ts";
import { LvmMaker } from "./make-lvm.ts";
import { placesOf, useTreeStage } from "./tree-stage.ts";

const stage = useTreeStage();

const uuids = {
  root: "11111111-1111-4111-8111-111111111111",
  boot: "22222222-2222-4222-8222-222222222222",
};

describe("a disk laid out as", () => {
  it("Debian's: GPT with partitions 1, 14 and 15", async () => {
    const fstab =
      "PARTUUID=aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee / ext4 rw,discard,errors=remount-ro,x-systemd.growfs 0 1\nUUID=ABCD-0123 /boot/efi vfat defaults 0 0\n";
    const root = await stage().make.ext(systemFiles(fstab, { "boot/efi/": "", "boot/vmlinuz-6.1": "kernel" }));
    const efi = await stage().make.vfat({ "EFI/debian/shimx64.efi": "shim" }, ["-i", "ABCD0123"]);
    await makeGptDisk(stage().disk, [
      { type: "bios-boot", image: await makeEmpty(`${stage().disk}.bios`, 1), number: 14 },
      { type: "efi", image: efi, number: 15 },
      { type: "root", image: root, number: 1, uuid: "AAAAAAAA-BBBB-4CCC-8DDD-EEEEEEEEEEEE" },
    ]);
    const tree = await stage().mount();
    expect(placesOf(tree)).toEqual([
      ["/", "partition 1"],
      ["/boot/efi", "partition 15"],
    ]);
    expect(tree).toMatchObject({ table: "gpt", passedOver: [] });
    expect(await stage().read("boot/efi/EFI/debian/shimx64.efi")).toBe("shim");
    expect(await stage().read("boot/vmlinuz-6.1")).toBe("kernel");
  });

  it("Fedora's: btrfs with the subvolumes root, home and var, an ext4 /boot and an ESP", async () => {
    const fstab = [
      `UUID=${uuids.root} / btrfs compress=zstd:1,subvol=root 0 0`,
      `UUID=${uuids.boot} /boot ext4 defaults 0 0`,
      "UUID=ABCD-0123 /boot/efi vfat defaults,umask=0077,shortname=winnt 0 0",
      `UUID=${uuids.root} /home btrfs subvol=home,compress=zstd:1 0 0`,
      `UUID=${uuids.root} /var btrfs subvol=var 0 0`,
    ].join("\n");
    const subvolumes =
      "for name in root home var; do btrfs -q subvolume create $name; done; cp -a $1/. root; echo a >home/a; echo b >var/b";
    const root = await stage().make.btrfs(systemFiles(fstab), subvolumes.replaceAll("btrfs -q", "btrfs"), [
      "-U",
      uuids.root,
    ]);
    await makeGptDisk(stage().disk, [
      { type: "bios-boot", image: await makeEmpty(`${stage().disk}.bios`, 1) },
      { type: "efi", image: await stage().make.vfat({ "EFI/fedora/grub.cfg": "stub" }, ["-i", "ABCD0123"]) },
      { type: "boot", image: await stage().make.ext({ "efi/": "", "vmlinuz-6.11": "kernel" }, ["-U", uuids.boot]) },
      { type: "linux", image: root },
    ]);
    expect(placesOf(await stage().mount())).toEqual([
      ["/", "partition 4", "/root"],
      ["/boot", "partition 3"],
      ["/home", "partition 4", "/home"],
      ["/var", "partition 4", "/var"],
      ["/boot/efi", "partition 2"],
    ]);
    expect(await stage().read("boot/efi/EFI/fedora/grub.cfg")).toBe("stub");
    expect(await stage().read("var/b")).toBe("b\n");
  });

  it("Enterprise Linux's: xfs root, xfs /boot and an ESP", async () => {
    const fstab = `UUID=${uuids.root} / xfs defaults 0 0\nUUID=${uuids.boot} /boot xfs defaults 0 0\nUUID=ABCD-0123 /boot/efi vfat umask=0077 0 2\n`;
    await makeGptDisk(stage().disk, [
      { type: "bios-boot", image: await makeEmpty(`${stage().disk}.bios`, 1) },
      { type: "efi", image: await stage().make.vfat({ "EFI/BOOT/BOOTX64.EFI": "shim" }, ["-i", "ABCD0123"]) },
      {
        type: "boot",
        image: await stage().make.xfs({ "efi/": "", "vmlinuz-5.14": "kernel" }, ["-m", `uuid=${uuids.boot}`]),
      },
      { type: "root", image: await stage().make.xfs(systemFiles(fstab), ["-m", `uuid=${uuids.root}`]) },
    ]);
    expect(placesOf(await stage().mount())).toEqual([
      ["/", "partition 4"],
      ["/boot", "partition 3"],
      ["/boot/efi", "partition 2"],
    ]);
    expect(await stage().read("boot/vmlinuz-5.14")).toBe("kernel");
    expect(await readdir(stage().path("boot/efi/EFI/BOOT"))).toEqual(["BOOTX64.EFI"]);
  });

  it("openSUSE's: a snapshot as the default subvolume, others beside it", async () => {
    const line = (place: string) => `UUID=${uuids.root} /${place} btrfs subvol=/@/${place} 0 0\n`;
    const fstab = `UUID=${uuids.root} / btrfs defaults 0 0\n${["var", "boot/grub2/x86_64-efi", ".snapshots", "home"].map(line).join("")}`;
    const script = `
      btrfs subvolume create @; mkdir -p @/boot/grub2; btrfs subvolume create @/.snapshots; mkdir @/.snapshots/1
      for name in var home boot/grub2/x86_64-efi; do btrfs subvolume create "@/$name"; echo "$name" >"@/$name/which"; done
      btrfs subvolume create @/.snapshots/1/snapshot; cp -a "$1/." @/.snapshots/1/snapshot
      btrfs subvolume set-default @/.snapshots/1/snapshot`;
    const files = systemFiles(fstab, { "boot/grub2/x86_64-efi/": "", ".snapshots/": "" });
    await makeGptDisk(stage().disk, [
      { type: "root", image: await stage().make.btrfs(files, script, ["-U", uuids.root]) },
    ]);
    const tree = await stage().mount();
    expect(placesOf(tree)).toEqual([
      ["/", "partition 1", "/@/.snapshots/1/snapshot"],
      ["/var", "partition 1", "/@/var"],
      ["/home", "partition 1", "/@/home"],
      ["/boot/grub2/x86_64-efi", "partition 1", "/@/boot/grub2/x86_64-efi"],
    ]);
    expect(tree.passedOver).toMatchObject([{ mountPoint: "/.snapshots", reason: "it holds snapshots of the tree" }]);
    expect(await stage().read("boot/grub2/x86_64-efi/which")).toBe("boot/grub2/x86_64-efi\n");
  });

  it("an old server's: MBR, with logical partitions", async () => {
    const fstab =
      "/dev/sda2 / ext4 defaults 0 1\nLABEL=boot /boot ext2 defaults 0 2\nPARTUUID=1234abcd-06 /home ext4 defaults 0 2\n/dev/sda5 none swap sw 0 0\n";
    const swap = await makeEmpty(`${stage().disk}.swap`, 1);
    await run("mkswap", [swap], { doing: "making swap" });
    await makeMbrDisk(
      stage().disk,
      [
        { type: "83", image: await stage().make.ext({ "vmlinuz-4.18": "kernel" }, ["-L", "boot"], "ext2") },
        { type: "83", image: await stage().make.ext(systemFiles(fstab)) },
      ],
      [
        { type: "82", image: swap },
        { type: "83", image: await stage().make.ext({ someone: "home" }) },
      ],
    );
    const tree = await stage().mount();
    expect(tree.table).toBe("mbr");
    expect(placesOf(tree)).toEqual([
      ["/", "partition 2"],
      ["/boot", "partition 1"],
      ["/home", "partition 6"],
    ]);
    expect(await stage().read("home/someone")).toBe("home");
  });

  it("Enterprise Linux's with LVM: volumes in pieces", async () => {
    const fstab = [
      "/dev/mapper/vg--x-root / ext4 defaults 0 0",
      `UUID=${uuids.boot} /boot ext4 defaults 0 0`,
      "/dev/vg-x/home /home ext4 defaults 0 0",
      "/dev/mapper/vg--x-swap none swap defaults 0 0",
    ].join("\n");
    await using lvm = await LvmMaker.create(join(stage().directory, ".."), "vg-x");
    await lvm.add("root", 2);
    await lvm.add("home", 2);
    await lvm.extend("root", 2);
    await lvm.add("swap", 1);
    await lvm.fill("root", await stage().make.ext(systemFiles(fstab, { "usr/large": "x".repeat(9 * 2 ** 20) })));
    await lvm.fill("home", await stage().make.ext({ someone: "home" }, [], "ext4", 8));
    await makeGptDisk(stage().disk, [
      { type: "linux", image: await stage().make.ext({ "vmlinuz-5.14": "kernel" }, ["-U", uuids.boot]) },
      { type: "lvm", image: lvm.image },
    ]);
    const tree = await stage().mount();
    expect(placesOf(tree)).toEqual([
      ["/", "vg-x/root"],
      ["/boot", "partition 1"],
      ["/home", "vg-x/home"],
    ]);
    expect(tree.volumes.map(({ name, fileSystem }) => `${name}: ${fileSystem.kind}`)).toEqual([
      "partition 1: ext4",
      "partition 2: lvm2",
      "vg-x/root: ext4",
      "vg-x/home: ext4",
      "vg-x/swap: unknown",
    ]);
    expect(await stage().read("usr/large")).toBe("x".repeat(9 * 2 ** 20));
    expect(await stage().read("home/someone")).toBe("home");
  });

  it("no fstab at all: by the partitions' types", async () => {
    const { "etc/fstab": _, ...files } = systemFiles("", { "boot/efi/": "", "usr/bin/": "" });
    await makeGptDisk(stage().disk, [
      { type: "efi", image: await stage().make.vfat({ "EFI/BOOT/BOOTX64.EFI": "loader" }) },
      { type: "boot", image: await stage().make.ext({ "vmlinuz-6.1": "kernel", "efi/": "" }) },
      { type: "home", image: await stage().make.ext({ someone: "home" }) },
      { type: "root", image: await stage().make.ext(files) },
    ]);
    const tree = await stage().mount();
    // The root's /boot has a directory already, so it is not the place of another file system.
    expect(placesOf(tree)).toEqual([
      ["/", "partition 4"],
      ["/home", "partition 3"],
      ["/boot/efi", "partition 1"],
    ]);
    expect(tree.passedOver).toEqual([
      { device: "partition 2", mountPoint: "/boot", from: "type", reason: "its directory is not empty" },
    ]);
  });

  it("no partitions: one file system", async () => {
    stage().disk = await stage().make.ext(systemFiles("LABEL=cloudimg-rootfs / ext4 defaults 0 1\n"), [
      "-L",
      "cloudimg-rootfs",
    ]);
    const tree = await stage().mount();
    expect(tree.table).toBe("none");
    expect(placesOf(tree)).toEqual([["/", "disk"]]);
    expect(await stage().read("etc/os-release")).toBe("ID=test\n");
  });
});

const digest = async (path: string) =>
  createHash("sha256")
    .update(await readFile(path))
    .digest("hex");

describe("every mount", () => {
  it("is read-only, without devices, set-user-ID bits and programs", async () => {
    const fstab =
      "PARTLABEL=other-0 /boot xfs defaults 0 0\nPARTLABEL=other-1 /home btrfs defaults 0 0\nPARTLABEL=other-2 /srv vfat defaults 0 0\n";
    await stage().makeDisk(
      fstab,
      {},
      await stage().make.xfs({}),
      await stage().make.btrfs({}, "true"),
      await stage().make.vfat({ file: "x" }),
    );
    expect((await stage().mount()).mounts).toHaveLength(4);
    const { stdout } = await stage().namespace.run(
      "findmnt",
      ["-rn", "-o", "TARGET,OPTIONS", "-R", stage().directory],
      {
        doing: "listing",
      },
    );
    const lines = stdout.trim().split("\n");
    expect(lines).toHaveLength(4);
    for (const line of lines) {
      expect(line.split(/[ ,]/)).toEqual(expect.arrayContaining(["ro", "nosuid", "nodev", "noexec"]));
    }
  });

  it.each(["ext4", "xfs", "btrfs"] as const)(
    "of %s has what waits in its journal, and leaves the disk as it was",
    async (kind) => {
      const files = systemFiles("");
      const image = await {
        ext4: () => stage().make.ext(files),
        xfs: () => stage().make.xfs(files),
        btrfs: () => stage().make.btrfs(files, "cp -a $1/. ."),
      }[kind]();
      // A power cut: the bytes as they are while it is mounted.
      stage().disk = `${image}.cut`;
      await stage().make.fill(image, 'echo late >late; sync late; cp --sparse=always "$1" "$2"', image, stage().disk);
      const before = await digest(stage().disk);
      const { mounts } = await stage().mount();
      expect(await stage().read("late")).toBe("late\n");
      expect(mounts[0]?.volume.fileSystem.journal).toBe(kind === "xfs" ? undefined : "dirty");
      expect(await digest(stage().disk)).toBe(before);
    },
  );
});
