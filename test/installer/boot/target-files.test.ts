import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../../../common/run.ts";
import { reveal } from "../../../common/secret.ts";
import { grubSelections } from "../../../installer/boot/debian-grub.ts";
import { debianLoader } from "../../../installer/boot/debian-loader.ts";
import { espSyncFiles } from "../../../installer/boot/esp-sync/files.ts";
import { renewLoaderFiles } from "../../../installer/boot/renew-loader.ts";
import type { TargetFile } from "../../../installer/step.ts";
import { lay } from "../storage/lay-on-machine.ts";

/** What the target gets is judged by the programs that will read it there. */
const uuids = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"];
const severalEsps: TargetFile[] = [
  ...espSyncFiles(uuids, ["debian", "BOOT"]),
  ...debianLoader.files,
  ...debianLoader.kernelHooks,
];
const oneEsp: TargetFile[] = [...renewLoaderFiles, ...debianLoader.files];

const doing = "judging a file of the target";

describe.each([
  { esps: "several ESPs", files: severalEsps, units: 2 },
  { esps: "one ESP for all disks", files: oneEsp, units: 1 },
])("$esps", ({ files, units: count }) => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "target-files-"));
    for (const file of files) {
      if ("symlink" in file) continue;
      await mkdir(dirname(join(directory, file.path)), { recursive: true });
      await writeFile(join(directory, file.path), reveal(file.content), { mode: file.mode });
    }
  });
  afterAll(() => rm(directory, { recursive: true }));

  const paths = files.map(({ path }) => path);

  test("every link leads to a file that is there, and run-parts takes the hooks", () => {
    for (const file of files) {
      if ("symlink" in file) expect(paths).toContain(file.symlink);
      // run-parts(8): other names are left out.
      if (file.path.startsWith("/etc/kernel/")) expect(file.path).toMatch(/\/zzz-[a-z-]+$/);
    }
  });

  test.each(paths.filter((path) => path.startsWith("/usr/local/lib/")))("%s is a sound script", async (path) => {
    await run("shellcheck", ["--shell=dash", join(directory, path)], { doing });
  });

  test("systemd finds no fault in the units", async () => {
    const units = paths.filter((path) => /^\/etc\/systemd\/system\/[^/]+$/.test(path));
    expect(units).toHaveLength(count);
    const lines: string[] = [];
    const verify = ["verify", "--man=no", "--recursive-errors=no", ...units.map((path) => join(directory, path))];
    await run("systemd-analyze", verify, { doing, onLine: (line) => lines.push(line) });
    expect(lines).toEqual([]);
  });

  test("apt runs the hook after dpkg, and the hook starts a unit that is there", async () => {
    const path = paths.find((candidate) => candidate.startsWith("/etc/apt/")) ?? "";
    const env = { APT_CONFIG: join(directory, path) };
    const { stdout } = await run("apt-config", ["dump", "DPkg::Post-Invoke"], { doing, env });
    const command = /^DPkg::Post-Invoke:: "(.*metalcast.*)";$/m.exec(stdout)?.[1] ?? "";
    const hook = "/usr/local/lib/metalcast-loader/after-packages";
    expect(command).toContain(hook);
    const started = /systemctl start (\S+)/.exec(await readFile(join(directory, hook), "utf8"))?.[1];
    expect(paths).toContain(`/etc/systemd/system/${started}`);
    // Where the program is gone, apt is none the worse.
    await run("sh", ["-c", command], { doing });
  });
});

test("of one ESP nothing is copied, watched or listed", () => {
  expect(oneEsp.map(({ path }) => path).join("\n")).not.toMatch(/esp|\.path$|kernel/);
});

test("the list has one partition a line, besides comments", async () => {
  const list = severalEsps.find(({ path }) => path === "/etc/metalcast/esp-partitions");
  const lines = list && "content" in list ? reveal(list.content).split("\n") : [];
  expect(lines.filter((line) => !line.startsWith("#"))).toEqual([...uuids, ""]);
});

test("debconf understands what is recorded, and it names every disk", async () => {
  const layout = lay("raid1");
  const selections = grubSelections({ layout, firmware: ["uefi", "bios"] });
  await run("debconf-set-selections", ["--checkonly"], { doing, input: selections });
  expect(selections.split("\n").slice(0, -1).sort()).toEqual([
    "grub-efi-amd64 grub-efi/install_devices multiselect /dev/disk/by-id/ata-SAMPLE_A-part2, /dev/disk/by-id/ata-SAMPLE_B-part2",
    "grub-efi-amd64 grub-efi/install_devices_empty boolean false",
    "grub-efi-amd64 grub2/force_efi_extra_removable boolean true",
    "grub-efi-amd64 grub2/update_nvram boolean false",
    "grub-pc grub-pc/install_devices multiselect /dev/disk/by-id/ata-SAMPLE_A, /dev/disk/by-id/ata-SAMPLE_B",
    "grub-pc grub-pc/install_devices_empty boolean false",
  ]);
  expect(grubSelections({ layout, firmware: ["bios"] })).not.toContain("efi");
  const oneForAll = grubSelections({ layout: lay({ preset: "raid1", esp: "raid1" }), firmware: ["uefi"] });
  expect(oneForAll).toMatch(/install_devices multiselect \/dev\/disk\/by-id\/md-uuid-[0-9a-f:]{35}\n/);
});
