import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { build, findImage, loadCatalog } from "../../../factory/index.ts";
import { publish } from "../../../mirror/index.ts";
import { buildElImage, type ElVersion, makeElTemplate } from "../../lab/el-image.ts";
import type { Firmware } from "../../lab/hardware.ts";
import type { BootedServer, BootOptions } from "../../lab/qemu.ts";
import { buildRescueSystem } from "../../lab/rescue-system.ts";
import type { Server } from "../../lab/server.ts";
import { installServer } from "../scenario.ts";
import { openStage, type Stage } from "../stage.ts";
import { passphrase } from "./boot-cases.ts";
import { type ElCase, elCases } from "./el-cases.ts";

/**
 * Red Hat's family, as far as it can be had: Debian's packages in Red Hat's shape (`el-shape.sh`) go through the factory,
 * the mirror and the installer to a server with two disks. It boots, and what the family's file writes is proven by that;
 * a kernel that is added later gets this server's arguments, and every disk boots it.
 */
const bootLimitMs = 15 * 60_000;
const gibibyte = 2 ** 30;

let stage: Stage;
const published = new Set<ElVersion>();

beforeAll(async () => {
  await buildRescueSystem();
  stage = await openStage();
});

afterAll(() => stage?.[Symbol.asyncDispose]());

/** The first that needs it does it. */
async function publishImage({ version, image }: ElCase): Promise<void> {
  if (published.has(version)) return;
  published.add(version);
  const { file, format, checksum } = await buildElImage(version);
  const output = `${stage.directory}/${image}`;
  await build({
    ...{ image: findImage(await loadCatalog(), image), source: file, format, checksum, output },
    ...{ template: await makeElTemplate(`${stage.directory}/packer-${version}`), emit: () => {} },
  });
  await publish(stage.store, output, { emit: () => {} });
}

describe.each(elCases)("$version: $title", (elCase) => {
  const { version, image, storage, firmware, initramfs, storageArguments, arrays, root } = elCase;
  const hasEntries = version !== "7.9";
  const instance = { hostname: "el-1", uuid: crypto.randomUUID(), userData: "#cloud-config\n{}\n" };
  const [first] = firmware;
  let server: Server;

  beforeAll(() => publishImage(elCase));

  test("it is installed", async () => {
    const disks = ["LAB0", "LAB1"].map((serial) => ({ serial, sizeBytes: 6 * gibibyte }));
    server = await stage.makeServer(`el-${version}-${first}`, disks);
    const { job, files } = await stage.makeJob(instance, "file:///srv/mirror", image);
    const steps: string[] = [];
    const outcome = await installServer(
      server,
      {
        job: { ...job, storage, initramfs, license: "none" },
        files: { ...files, passphrase },
        ...{ shares: { "/srv/mirror": stage.mirror }, firmware: first },
      },
      (event) => event.kind === "step-started" && steps.push(event.step),
    );
    expect(outcome).toEqual({ exitCode: 0, messages: [] });
    expect(steps.includes("bls-entries")).toBe(hasEntries);
    expect(steps.includes("initramfs")).toBe(initramfs === "rebuild");
  });

  test(`it boots under ${first}, with all that is Red Hat's`, async () => {
    await using booted = await start(server, elCase, { firmware: first });
    const report = await stage.waitForReport(instance, booted);
    expect(report).toMatchObject({ hostname: "el-1", cloudInit: "done" });
    const { stdout } = await booted.ssh("debian", stage.keyFile, questions(hasEntries));
    expect(stdout).toMatch(storageArguments);
    expect(stdout).toMatch(/ crashkernel=1G-4G:64M .*console=ttyS0,115200/);
    expect(stdout).not.toContain("vendor/root");
    expect(stdout.match(/\[2\/2\] \[UU\]/g)).toHaveLength(arrays);
    expect(stdout).toMatch(root);
    expect(stdout.match(/^system_u:object_r:\w+:s0$/gm)).toHaveLength(4);
    expect(stdout).not.toContain("fbx64");
    if (first === "uefi") expect(stdout).toContain("/boot/efi/EFI/BOOT/grubx64.efi");
    if (hasEntries) await booted.ssh("debian", stage.keyFile, `sudo sh -euc '${addKernel}'`);
    await booted.powerOff(bootLimitMs);
  });

  test.each(firmware.flatMap((each) => [0, 1].map((pulled): [Firmware, number] => [each, pulled])))(
    `%s without disk %i: ${hasEntries ? "the added kernel" : "it"} boots`,
    async (each, pulled) => {
      await using booted = await start(server, elCase, {
        ...{ firmware: each, removedDisks: [pulled], snapshot: true, forgetEntries: true },
      });
      const { stdout } = await booted.sshWhenUp("debian", stage.keyFile, "cat /proc/cmdline /proc/mdstat", bootLimitMs);
      if (hasEntries) expect(stdout).toMatch(/^BOOT_IMAGE=\S+-added root=\S+ ro /);
      expect(stdout).toMatch(storageArguments);
      expect(stdout.match(pulled === 0 ? /\[_U\]/g : /\[U_\]/g)).toHaveLength(arrays);
    },
  );
});

/** Starts it and unlocks it, if need be. */
async function start(server: Server, { locked }: ElCase, options: BootOptions): Promise<BootedServer> {
  const booted = await server.boot(options);
  if (locked) await booted.answer(/passphrase for disk secret/, passphrase, bootLimitMs);
  return booted;
}

/** What the server says of itself, by one connection. */
const questions = (hasEntries: boolean) => `
cat /proc/cmdline /proc/mdstat
findmnt --noheadings --raw --output SOURCE,FSTYPE /
for label in /etc/fstab /etc/mdadm.conf /boot/grub2/grub.cfg ${hasEntries ? "/etc/kernel/cmdline" : "/etc/default/grub"}; do
  python3 -c 'import os, sys; print(os.getxattr(sys.argv[1], "security.selinux").decode().rstrip(chr(0)))' $label
done
sudo find /boot/efi/EFI -type f | sort`;

/** Its initramfs takes an emulated machine minutes to build, and is not what is asked here. */
const addKernel = `
echo initrd_generator=none >>/etc/kernel/install.conf
kernel=$(uname -r)
cp /boot/initramfs-$kernel.img /boot/initramfs-$kernel-added.img
kernel-install add $kernel-added /lib/modules/$kernel/vmlinuz
title=$(sed -n "s/^title //p" /boot/loader/entries/*-added.conf)
grub2-editenv /boot/grub2/grubenv set "saved_entry=$title"`;
