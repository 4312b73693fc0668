import { describe, expect, test } from "vitest";
import { formatOfName, imageFormatSchema, isArchive } from "../../factory/image-format.ts";

describe("the format that a file's name declares", () => {
  test.for<[string, string | undefined]>([
    ["debian-12-genericcloud-amd64.qcow2", "qcow2"],
    ["disk.raw", "raw"],
    ["Fedora-Cloud-Base-44-1.2.x86_64.raw.xz", "raw.xz"],
    ["image.img.xz", "raw.xz"],
    ["IMAGE.RAW.GZ", "raw.gz"],
    ["image.img.zst", "raw.zst"],
    ["appliance.ova", "ova"],
    ["/srv/my.tar.xz/disk.vmdk", "vmdk"],
    ["noble-server-cloudimg-amd64-root.tar.xz", "tar.xz"],
    ["root.tgz", "tar.gz"],
    ["root.tar.zst", "tar.zst"],
    ["root.tar", "tar"],
    ["noble-server-cloudimg-amd64.img", undefined],
    ["disk.xz", undefined],
    ["qcow2", undefined],
    ["disk.constructor", undefined],
    ["", undefined],
  ])("%s: %s", ([name, format]) => {
    expect(formatOfName(name)).toBe(format);
  });
});

test("every format is a disk or an archive, and its name is its ending", () => {
  for (const format of imageFormatSchema.options) {
    expect(isArchive(format)).toBe(/^tar/.test(format));
    expect(formatOfName(`x.${format}`)).toBe(format);
  }
});
