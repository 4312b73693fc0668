import { afterAll, beforeAll, expect, test } from "vitest";
import { debian12, installServer, openCastStage } from "../scenario.ts";
import type { Stage } from "../stage.ts";

/**
 * The reference way: the rescue system, too, runs in QEMU with real UEFI firmware, so the installer makes NVRAM
 * entries; and what the quick tests leave out: an initramfs built anew on the server, a server with one disk.
 */
let stage: Stage;
const shares = () => ({ "/srv/mirror": stage.mirror });
const instance = (hostname: string) => ({ hostname, uuid: crypto.randomUUID(), userData: "#cloud-config\n{}\n" });

beforeAll(async () => {
  stage = await openCastStage(debian12);
});

afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
});

test("installed under UEFI, the server boots by its own NVRAM entry, and by the other disk's when the first is gone", async () => {
  const wanted = instance("uefi-1");
  const server = await stage.makeServer("uefi");
  const installation = { ...(await stage.makeJob(wanted, "file:///srv/mirror")), shares: shares() };
  const outcome = await installServer(server, { ...installation, firmware: "uefi" }, () => {});
  expect(outcome).toEqual({ exitCode: 0, messages: [] });

  for (const [removedDisks, label] of [
    [[], "Debian GNU/Linux (disk 1)"],
    [[0], "Debian GNU/Linux (disk 2)"],
  ] as const) {
    await using booted = await server.boot({ firmware: "uefi", removedDisks });
    if (removedDisks.length === 0) await stage.waitForReport(wanted, booted);
    const { stdout } = await booted.sshWhenUp("debian", stage.keyFile, "sudo efibootmgr", 12 * 60_000);
    const current = /^BootCurrent: (\w{4})$/m.exec(stdout)?.[1];
    expect(stdout).toMatch(new RegExp(`^Boot${current}\\* ${label.replace(/[()/]/g, "\\$&")}`, "m"));
    await booted.powerOff(5 * 60_000);
  }
});

test("with an initramfs built on the server it boots as well", async () => {
  const wanted = instance("rebuilt-1");
  const server = await stage.makeServer("rebuilt");
  const { job, files } = await stage.makeJob(wanted, "file:///srv/mirror");
  const outcome = await installServer(
    server,
    { job: { ...job, initramfs: "rebuild" }, files, shares: shares() },
    () => {},
  );
  expect(outcome).toEqual({ exitCode: 0, messages: [] });
  await using booted = await server.boot({ firmware: "bios" });
  expect(await stage.waitForReport(wanted, booted)).toMatchObject({ hostname: "rebuilt-1", cloudInit: "done" });
});

test("one ESP as RAID1: each disk boots alone, and a loader that is behind its package is renewed for all of them", async () => {
  const wanted = instance("esp-1");
  const server = await stage.makeServer("esp");
  const { job, files } = await stage.makeJob(wanted, "file:///srv/mirror");
  const storage = { preset: "raid1", esp: "raid1" };
  expect(await installServer(server, { job: { ...job, storage }, files, shares: shares() }, () => {})).toEqual({
    exitCode: 0,
    messages: [],
  });
  const loader = "/boot/efi/EFI/debian/grubx64.efi";
  const look = [
    "hostname",
    "findmnt -no SOURCE /boot/efi",
    'mdadm --detail --export /dev/md/esp | grep -E "LEVEL|METADATA"',
    "cat /proc/mdstat",
    // As after an upgrade.
    `echo old >${loader} && rm /var/lib/metalcast/loader && /usr/local/lib/metalcast-loader/after-packages`,
    `cmp ${loader} /usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed && echo renewed`,
  ];
  for (const removed of [0, 1]) {
    const pulled = { removedDisks: [removed], snapshot: true, forgetEntries: true };
    await using booted = await server.boot({ firmware: "uefi", ...pulled });
    const { stdout } = await booted.sshWhenUp("debian", stage.keyFile, `sudo sh -c '${look.join("; ")}'`, 12 * 60_000);
    const [hostname, device, ...rest] = stdout.split("\n");
    expect({ hostname, device }).toEqual({ hostname: "esp-1", device: expect.stringMatching(/^\/dev\/md/) });
    expect(rest.slice(0, 2)).toEqual(["MD_LEVEL=raid1", "MD_METADATA=1.0"]);
    expect(stdout.match(/\[(U_|_U)\]/g)).toHaveLength(2);
    expect(rest.at(-1)).toBe("renewed");
  }
});

test.each(["uefi", "bios"] as const)("a server with one disk and no array boots under %s", async (firmware) => {
  const wanted = instance(`single-${firmware}`);
  const server = await stage.makeServer(`single-${firmware}`);
  const { job, files } = await stage.makeJob(wanted, "file:///srv/mirror");
  const single = { ...job, storage: "single", disks: { count: 1, match: { serial: "LAB1" } } };
  expect(await installServer(server, { job: single, files, shares: shares() }, () => {})).toEqual({
    exitCode: 0,
    messages: [],
  });
  // SeaBIOS tries the first disk only, and that one is blank.
  await using booted = await server.boot({ firmware, removedDisks: firmware === "bios" ? [0] : [] });
  expect(await stage.waitForReport(wanted, booted)).toMatchObject({
    hostname: `single-${firmware}`,
    cloudInit: "done",
  });
});
