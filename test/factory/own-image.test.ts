import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Event } from "../../common/event.ts";
import { run } from "../../common/run.ts";
import { digestFile } from "../../factory/checksum.ts";
import { judgeMetalFitness } from "../../factory/metal-fitness.ts";
import { openOwnImage } from "../../factory/own-image.ts";
import { cpioOf, dpkgStatus, ImageTree } from "./image-tree.ts";

let folder: string;
const work = () => join(folder, "work");

beforeAll(async () => {
  folder = await mkdtemp("/var/tmp/own-image-");
  await mkdir(work());
});
afterAll(() => rm(folder, { recursive: true }));

/** A root file system archive of one's own: a Debian whose kernel has drivers for servers, but for these files. */
async function makeArchive(name: string, files: Record<string, string> = {}) {
  await using tree = await ImageTree.make({
    "usr/lib/os-release": "ID=debian\nVERSION_ID=12\n",
    "usr/lib/modules/1/modules.builtin": "kernel/drivers/ata/ahci.ko\nkernel/drivers/nvme/host/nvme.ko\n",
    "usr/lib/modules/1/modules.dep": "kernel/megaraid_sas.ko.xz:\nkernel/mpt3sas.ko.xz: kernel/raid_class.ko.xz\n",
    "usr/sbin/sshd": "",
    "var/lib/dpkg/status": dpkgStatus("cloud-init", "mdadm"),
    "boot/vmlinuz-1": "",
    "boot/initrd.img-1": cpioOf("conf/initramfs.conf", "usr/lib/modules/1/raid1.ko", "sbin/mdadm"),
    ...files,
  });
  const file = join(folder, name);
  await run("tar", ["-cf", file, "-C", tree.path, "."], { doing: "archiving" });
  return { file, sha256: await digestFile(file, "sha256") };
}

/** @returns what is said of an image that is opened */
async function openAndNote(reference: { file: string; sha256: string }): Promise<string[]> {
  const notes: string[] = [];
  const emit = (event: Event) => void (event.kind === "note" && notes.push(event.text));
  await using _ = await openOwnImage(reference, { emit, work: work() });
  return notes;
}

test("an image of one's own is open with all that a plan asks, until it is disposed of", async () => {
  const reference = await makeArchive("web.tar");
  await using opened = await openOwnImage(reference, { emit: () => {}, work: work() });
  expect(opened.facts).toMatchObject({
    name: "web.tar",
    family: "debian",
    kernels: ["1"],
    preinstalled: ["cloud-init", "mdadm"],
    initramfs: { modules: ["ahci", "nvme", "raid1"], programs: ["mdadm"] },
    license: "none",
  });
  expect(await readFile(join(opened.tree, "usr/lib/os-release"), "utf8")).toContain("ID=debian");
  await opened[Symbol.asyncDispose]();
  expect(await readdir(work())).toEqual([]);
});

const list = "datasource_list: [Ec2]\n";
const virtual = {
  "usr/lib/modules/1/modules.builtin": "kernel/drivers/block/virtio_blk.ko\n",
  "usr/lib/modules/1/modules.dep": "",
};

test.each<[string, Record<string, string>, string[]]>([
  [
    "that finds its data elsewhere, in a file after the installer's",
    { "etc/cloud/cloud.cfg.d/90_dpkg.cfg": list },
    [expect.stringContaining("datasource_list in /etc/cloud/cloud.cfg.d/90_dpkg.cfg has no ConfigDrive")],
  ],
  [
    "whose ds-identify allows only another source",
    { "etc/cloud/ds-identify.cfg": "datasource: Ec2\n" },
    [expect.stringContaining("ds-identify.cfg allows only Ec2")],
  ],
  ["without any driver for servers' disks", virtual, [expect.stringMatching(/^no kernel \(1\) has a driver .*ahci/)]],
  [
    "with two defects, which are both told",
    { ...virtual, "etc/cloud/cloud-init.disabled": "" },
    [expect.stringMatching(/^no kernel/), expect.stringContaining("/etc/cloud/cloud-init.disabled")],
  ],
])("one %s is refused, and nothing is left", async (_, files, defects) => {
  const reference = await makeArchive("unfit.tar", files);
  await expect(openOwnImage(reference, { emit: () => {}, work: work() })).rejects.toMatchObject({
    code: "image-unfit",
    kind: "configuration",
    data: { defects },
  });
  expect(await readdir(work())).toEqual([]);
});

test.each<[string, Record<string, string>, string[]]>([
  ["nothing is amiss", {}, []],
  [
    "the installer's list replaces its own",
    { "etc/cloud/cloud.cfg": list, "etc/cloud/cloud.cfg.d/50-ec2.cfg": list },
    [],
  ],
  [
    "its kernel has some of the drivers",
    { "usr/lib/modules/1/modules.dep": "" },
    ["fit.tar: its kernel 1 lacks drivers for servers' disks: megaraid_sas, mpt3sas"],
  ],
  [
    "another kernel has them all",
    {
      "boot/vmlinuz-2": "",
      "boot/initrd.img-2": cpioOf("conf/initramfs.conf").toString("latin1"),
      "usr/lib/modules/2/modules.builtin": "kernel/drivers/block/virtio_blk.ko\n",
    },
    ["fit.tar: its kernel 2 lacks drivers for servers' disks: ahci, megaraid_sas, mpt3sas, nvme"],
  ],
  [
    "its kernel lists no modules",
    { "usr/lib/modules/1/modules.builtin": "", "usr/lib/modules/1/modules.dep": "" },
    ["fit.tar: which drivers its kernel 1 has cannot be told: it lists no modules"],
  ],
])("one is taken where %s", async (_, files, notes) => {
  expect(await openAndNote(await makeArchive("fit.tar", files))).toEqual(notes);
});

test("one without sshd is taken, and that is told", async () => {
  await using tree = await ImageTree.make({});
  expect(await judgeMetalFitness(tree.path, { kernels: ["1"], preinstalled: [] })).toEqual({
    defects: [],
    doubts: [expect.stringContaining("it lists no modules"), "it has no sshd: nobody can log in by SSH"],
  });
});
