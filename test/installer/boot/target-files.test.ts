import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../../../common/run.ts";
import { reveal } from "../../../common/secret.ts";
import { grubSelections } from "../../../installer/boot/debian-grub.ts";
import { debianLoader } from "../../../installer/boot/debian-loader.ts";
import { espSyncFiles } from "../../../installer/boot/esp-sync/files.ts";
import type { TargetFile } from "../../../installer/step.ts";
import type { Layout } from "../../../installer/storage/layout.ts";
import { sampleDisk } from "../samples.ts";

/** What the target gets is judged by the programs that will read it there. */
const uuids = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"];
const files: TargetFile[] = [...espSyncFiles(uuids, ["debian", "BOOT"]), ...debianLoader.files];

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
const doing = "judging a file of the target";

test("every link leads to a file that is there, and run-parts takes the hooks", () => {
  for (const file of files) {
    if ("symlink" in file) expect(paths).toContain(file.symlink);
    // run-parts(8): other names are left out.
    if (file.path.startsWith("/etc/kernel/")) expect(file.path).toMatch(/\/zzz-[a-z-]+$/);
  }
});

test("the list has one partition a line, besides comments", async () => {
  const list = files.find(({ path }) => path === "/etc/metalcast/esp-partitions");
  const lines = list && "content" in list ? reveal(list.content).split("\n") : [];
  expect(lines.filter((line) => !line.startsWith("#"))).toEqual([...uuids, ""]);
});

test.each(paths.filter((path) => path.startsWith("/usr/local/lib/")))("%s is a sound script", async (path) => {
  await run("shellcheck", ["--shell=dash", join(directory, path)], { doing });
});

test("systemd finds no fault in the units", async () => {
  const units = paths.filter((path) => /^\/etc\/systemd\/system\/[^/]+$/.test(path));
  expect(units).toHaveLength(2);
  const lines: string[] = [];
  const verify = ["verify", "--man=no", "--recursive-errors=no", ...units.map((path) => join(directory, path))];
  await run("systemd-analyze", verify, { doing, onLine: (line) => lines.push(line) });
  expect(lines).toEqual([]);
});

test("apt runs the hook after dpkg", async () => {
  const path = paths.find((candidate) => candidate.startsWith("/etc/apt/")) ?? "";
  const env = { APT_CONFIG: join(directory, path) };
  const { stdout } = await run("apt-config", ["dump", "DPkg::Post-Invoke"], { doing, env });
  const command = /^DPkg::Post-Invoke:: "(.*metalcast.*)";$/m.exec(stdout)?.[1] ?? "";
  expect(command).toContain("/usr/local/lib/metalcast-esp-sync/after-packages");
  // Where the program is gone, apt is none the worse.
  await run("sh", ["-c", command], { doing });
});

test("debconf understands what is recorded, and it names every disk", async () => {
  const disks = ["a", "b"].map((letter, index) => ({
    disk: sampleDisk(letter),
    partitions: [
      {
        name: "esp",
        number: 2,
        path: `/dev/disk/by-id/ata-SAMPLE_${letter.toUpperCase()}-part2`,
        startBytes: 0,
        sizeBytes: 0,
        typeCode: "ef00",
        uuid: uuids[index] ?? "",
      },
    ],
  }));
  const layout: Pick<Layout, "disks"> = { disks };
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
});
