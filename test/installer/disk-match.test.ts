import { expect, test } from "vitest";
import { diskMatchSchema, findMismatch } from "../../installer/disk-match.ts";
import { sampleDisk } from "./samples.ts";

const disk = sampleDisk("a", {
  model: "PERC H755N Front",
  vendor: "DELL",
  wwn: "0x6f4ee080160bd5002ab7652100a1691a",
  hctl: "0:2:0:0",
  transport: "sas",
  rotational: true,
});
const mismatch = (match: object) => findMismatch(diskMatchSchema.parse(match), disk);

test.each([
  [{}],
  [{ model: "in H755", vendor: "dell", rotational: true, transport: ["sas", "nvme"] }],
  [{ wwn: "0x6f4ee080160bd500" }],
  [{ wwn: "0x6f4ee080160bd5002ab7652100a1691a" }],
  [{ wwnWithExtension: "0x6f4ee080160bd5002ab7652100a1691a", wwnVendorExtension: "0x2ab7652100a1691a" }],
  [{ byPath: "pci-0000:00:1f.2-ata-a" }],
  [{ byPath: "/dev/disk/by-path/pci-0000:00:1f.2-ata-a", hctl: "0:2:0:0" }],
  [{ name: "/dev/sda" }],
  [{ name: "/dev/disk/by-id/ata-SAMPLE_A", size: ">= 8 GiB" }],
])("takes %j", (match) => expect(mismatch(match)).toBeUndefined());

test.each([
  [{ size: "> 8 GiB" }, "size 8.0 GiB (8589934592 bytes) is not > 8.0 GiB (8589934592 bytes)"],
  [{ rotational: false }, "rotational is true"],
  [{ serial: ["B", "C"] }, 'serial is "A", not = "b", or = "c"'],
  [{ wwnVendorExtension: "0x0" }, 'wwnVendorExtension is "0x2ab7652100a1691a", not = "0x0"'],
  [{ model: "in H755", vendor: "<or> hp <or> ibm" }, 'vendor is "DELL", not = "hp" or "ibm"'],
])("refuses by %j", (match, reason) => expect(mismatch(match)).toBe(reason));

test("a disk without what is asked for is not taken", () => {
  const plain = sampleDisk("b", { wwn: "0x5000c500a1b2c3d4", serial: "" });
  expect(findMismatch(diskMatchSchema.parse({ wwnVendorExtension: "!= 0x0" }), plain)).toMatch(/is unknown/);
  expect(findMismatch(diskMatchSchema.parse({ serial: "in A" }), plain)).toMatch(/serial is unknown/);
  expect(findMismatch(diskMatchSchema.parse({ wwn: "0x5000C500A1B2C3D4" }), plain)).toBeUndefined();
});
