import { mkdir, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { run } from "../../../common/run.ts";
import { refuseUsed } from "../../../installer/qualify/refuse-used.ts";
import { temporaryDirectory } from "../../mirror/sample-image.ts";

const doing = "testing";

test("a device may be overwritten only while nothing holds it; by any of its names", async () => {
  await using directory = await temporaryDirectory();
  const [file, place, link] = [
    join(directory.path, "disk"),
    join(directory.path, "mnt"),
    join(directory.path, "by-id"),
  ];
  await writeFile(file, "");
  await truncate(file, 8 * 2 ** 20);
  await mkdir(place);
  await run("mkfs.ext4", ["-q", file], { doing });
  const device = (await run("losetup", ["--find", "--show", file], { doing })).stdout.trim();
  try {
    await symlink(device, link);
    await refuseUsed(link);
    await run("mount", [device, place], { doing });
    const held = { code: "device-held", kind: "refused", message: `refusing to overwrite ${link}: something holds it` };
    await expect(refuseUsed(link)).rejects.toMatchObject(held);
    await run("umount", [place], { doing });
    await refuseUsed(link);
  } finally {
    await run("umount", [place], { doing, accept: [0, 32] });
    await run("losetup", ["--detach", device], { doing });
    await rm(link, { force: true });
  }
});

test.each([
  ["device-missing", "/dev/no-such-disk"],
  ["no-device", "/etc/passwd"],
  ["no-device", "/dev/null"],
  ["no-device", "/var/tmp"],
])("%s: %s", async (code, path) => {
  await expect(refuseUsed(path)).rejects.toMatchObject({ code, kind: "refused" });
});
