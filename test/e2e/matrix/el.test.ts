import { afterAll, beforeAll, expect, test } from "vitest";
import { build, findImage, loadCatalog } from "../../../factory/index.ts";
import { publish } from "../../../mirror/index.ts";
import { buildElImage, type ElVersion, makeElTemplate } from "../../lab/el-image.ts";
import type { Firmware } from "../../lab/hardware.ts";
import { buildRescueSystem } from "../../lab/rescue-system.ts";
import type { Server } from "../../lab/server.ts";
import { installServer } from "../scenario.ts";
import { openStage, type Stage } from "../stage.ts";

/**
 * Red Hat's family, as far as it can be had: Debian's packages in Red Hat's shape (`el-shape.sh`) go through the factory,
 * the mirror and the installer to a server with xfs for / and /boot, each on a RAID1. It boots, and what the family's
 * file writes is proven by that; a kernel that is added later gets this server's arguments, and every disk boots it.
 */
const version: ElVersion = "9.6";
const image = "almalinux-9";
const instance = { hostname: "el-1", uuid: crypto.randomUUID(), userData: "#cloud-config\n{}\n" };
const bootLimitMs = 15 * 60_000;
const gibibyte = 2 ** 30;

const storage = {
  partitions: [
    { name: "boot_raid", size: "1 GiB" },
    { name: "root_raid", size: "rest" },
  ],
  raid: [
    { name: "boot", level: 1, on: "boot_raid" },
    { name: "root", level: 1, on: "root_raid" },
  ],
  filesystems: [
    { on: "boot", type: "xfs", mount: "/boot" },
    { on: "root", type: "xfs", mount: "/" },
  ],
};

let stage: Stage;
let server: Server;

beforeAll(async () => {
  const { file, format, checksum } = await buildElImage(version);
  await buildRescueSystem();
  stage = await openStage();
  await build({
    ...{ image: findImage(await loadCatalog(), image), source: file, format, checksum },
    ...{ output: `${stage.directory}/${image}`, template: await makeElTemplate(`${stage.directory}/packer`) },
    emit: () => {},
  });
  await publish(stage.store, `${stage.directory}/${image}`, { emit: () => {} });
  const disks = ["LAB0", "LAB1"].map((serial) => ({ serial, sizeBytes: 6 * gibibyte }));
  server = await stage.makeServer("el", disks);
});

afterAll(() => stage?.[Symbol.asyncDispose]());

test("it is installed, and keeps the initramfs of the factory", async () => {
  const { job, files } = await stage.makeJob(instance, "file:///srv/mirror", image);
  const steps: string[] = [];
  const outcome = await installServer(
    server,
    { job: { ...job, storage }, files, shares: { "/srv/mirror": stage.mirror } },
    (event) => event.kind === "step-started" && steps.push(event.step),
  );
  expect(outcome).toEqual({ exitCode: 0, messages: [] });
  expect(steps).toContain("bls-entries");
  expect(steps).not.toContain("initramfs");
});

/** What the server says of itself, by one connection. */
const questions = `
cat /proc/cmdline /proc/mdstat
for place in / /boot; do findmnt --noheadings --output TARGET,FSTYPE $place; done
for label in /etc/fstab /etc/mdadm.conf /boot/grub2/grub.cfg /usr/local/lib/metalcast-esp-sync/esp-sync; do
  python3 -c 'import os, sys; print(os.getxattr(sys.argv[1], "security.selinux").decode().rstrip(chr(0)))' $label
done
sudo find /boot/efi/EFI -type f | sort`;

test("it boots under UEFI, and a kernel is added", async () => {
  await using booted = await server.boot({ firmware: "uefi" });
  const report = await stage.waitForReport(instance, booted);
  expect(report).toMatchObject({ hostname: "el-1", cloudInit: "done" });
  const { stdout } = await booted.ssh("debian", stage.keyFile, questions);
  expect(stdout).toMatch(/ crashkernel=1G-4G:64M .*console=ttyS0,115200/);
  expect(stdout).toMatch(/ rd\.md\.uuid=\S+ /);
  expect(stdout).not.toContain("vendor/root");
  expect(stdout.match(/\[2\/2\] \[UU\]/g)).toHaveLength(2);
  expect(stdout).toMatch(/^\/ +xfs$/m);
  expect(stdout).toMatch(/^\/boot +xfs$/m);
  expect(stdout.match(/^system_u:object_r:\w+:s0$/gm)).toHaveLength(4);
  expect(stdout).toContain("/boot/efi/EFI/BOOT/grubx64.efi");
  expect(stdout).not.toContain("fbx64");
  await booted.ssh("debian", stage.keyFile, `sudo sh -euc '${addKernel}'`);
  await booted.powerOff(bootLimitMs);
});

/** Its initramfs takes an emulated machine minutes to build, and is not what is asked here. */
const addKernel = `
echo initrd_generator=none >>/etc/kernel/install.conf
kernel=$(uname -r)
cp /boot/initramfs-$kernel.img /boot/initramfs-$kernel-added.img
kernel-install add $kernel-added /lib/modules/$kernel/vmlinuz
title=$(sed -n "s/^title //p" /boot/loader/entries/*-added.conf)
grub2-editenv /boot/grub2/grubenv set "saved_entry=$title"`;

test.each<[Firmware, number]>([
  ["uefi", 0],
  ["uefi", 1],
  ["bios", 0],
  ["bios", 1],
])("%s without disk %i: the added kernel boots", async (firmware, pulled) => {
  await using booted = await server.boot({
    ...{ firmware, removedDisks: [pulled], snapshot: true, forgetEntries: true },
  });
  const { stdout } = await booted.sshWhenUp("debian", stage.keyFile, "cat /proc/cmdline /proc/mdstat", bootLimitMs);
  expect(stdout).toMatch(/^BOOT_IMAGE=\S+-added root=UUID=\S+ ro rd\.md\.uuid=\S+ rd\.retry=45 /);
  expect(stdout.match(pulled === 0 ? /\[_U\]/g : /\[U_\]/g)).toHaveLength(2);
});
