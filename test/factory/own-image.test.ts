import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../../common/run.ts";
import { digestFile } from "../../factory/checksum.ts";
import { openOwnImage } from "../../factory/own-image.ts";
import { cpioOf, dpkgStatus, ImageTree } from "./image-tree.ts";

let folder: string;
const work = () => join(folder, "work");

beforeAll(async () => {
  folder = await mkdtemp("/var/tmp/own-image-");
  await mkdir(work());
});
afterAll(() => rm(folder, { recursive: true }));

/** A root file system archive of one's own, whose cloud-init looks for its data in these places. */
async function makeArchive(name: string, sources: string) {
  await using tree = await ImageTree.make({
    "usr/lib/os-release": "ID=debian\nVERSION_ID=12\n",
    "etc/cloud/cloud.cfg": `datasource_list: [${sources}]\n`,
    "var/lib/dpkg/status": dpkgStatus("cloud-init", "mdadm"),
    "boot/vmlinuz-1": "",
    "boot/initrd.img-1": cpioOf("conf/initramfs.conf", "usr/lib/modules/1/raid1.ko", "sbin/mdadm"),
  });
  const file = join(folder, name);
  await run("tar", ["-cf", file, "-C", tree.path, "."], { doing: "archiving" });
  return { file, sha256: await digestFile(file, "sha256") };
}

test("an image of one's own is open with all that a plan asks, until it is disposed of", async () => {
  const reference = await makeArchive("web.tar", "ConfigDrive");
  await using opened = await openOwnImage(reference, { emit: () => {}, work: work() });
  expect(opened.facts).toMatchObject({
    name: "web.tar",
    family: "debian",
    kernels: ["1"],
    preinstalled: ["cloud-init", "mdadm"],
    initramfs: { modules: ["raid1"], programs: ["mdadm"] },
    license: "none",
  });
  expect(await readFile(join(opened.tree, "usr/lib/os-release"), "utf8")).toContain("ID=debian");
  await opened[Symbol.asyncDispose]();
  expect(await readdir(work())).toEqual([]);
});

test("one whose cloud-init would not read its config drive is refused, and nothing is left", async () => {
  const reference = await makeArchive("ec2.tar", "Ec2");
  await expect(openOwnImage(reference, { emit: () => {}, work: work() })).rejects.toMatchObject({
    code: "image-unfit",
    message: expect.stringContaining("datasource_list in /etc/cloud/cloud.cfg has no ConfigDrive"),
  });
  expect(await readdir(work())).toEqual([]);
});
