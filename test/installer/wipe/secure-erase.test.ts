import { expect, test } from "vitest";
import { judgeAta, judgeNvme } from "../../../installer/wipe/secure-erase.ts";

const controller = (fields: object) => JSON.stringify({ vid: 5197, sn: "S1", oacs: 23, fna: 0, ...fields });

test.each([
  ["a controller that formats each namespace by itself", controller({}), 4, { way: "nvme-format" }],
  ["one namespace of a controller that formats all", controller({ fna: 1 }), 1, { way: "nvme-format" }],
  [
    "other namespaces would be erased too",
    controller({ fna: 2 }),
    2,
    { obstacle: expect.stringMatching(/all of its 2/) },
  ],
  ["no Format NVM", controller({ oacs: 5 }), 1, { obstacle: expect.stringMatching(/Format NVM/) }],
])("NVMe: %s", (_, output, namespaces, verdict) => {
  expect(judgeNvme(output, namespaces)).toEqual(verdict);
});

test("NVMe: what is not an answer is none", () => {
  expect(() => judgeNvme("{}", 1)).toThrow();
});

/** As hdparm -I prints it. */
const security = (...lines: string[]) => `
/dev/sda:

ATA device, with non-removable media
	Model Number:       SAMPLE
Security:
	Master password revision code = 65534
${lines.map((line) => `\t${line}\n`).join("")}	2min for SECURITY ERASE UNIT. 2min for ENHANCED SECURITY ERASE UNIT.
Logical Unit WWN Device Identifier: 5000000000000001
`;
const [supported, disabled, unlocked, thawed, counted, enhanced] = [
  "\tsupported",
  "not\tenabled",
  "not\tlocked",
  "not\tfrozen",
  "not\texpired: security count",
  "\tsupported: enhanced erase",
];

test.each([
  [[supported, disabled, unlocked, thawed, counted, enhanced], { way: "ata-enhanced-erase" }],
  [[supported, disabled, unlocked, thawed, counted, "not\tsupported: enhanced erase"], { way: "ata-erase" }],
  [[supported, disabled, unlocked, "\tfrozen", counted, enhanced], { obstacle: "its ATA security is frozen" }],
  [[supported, disabled, "\tlocked", thawed, counted], { obstacle: "its ATA security is locked" }],
  [[supported, "\tenabled", unlocked, thawed, counted], { obstacle: "it is protected by an ATA password" }],
  [["not\tsupported"], { obstacle: "it does not support ATA secure erase" }],
  [[enhanced], { obstacle: "it does not support ATA secure erase" }],
])("ATA: %j", (lines, verdict) => {
  expect(judgeAta(security(...lines))).toEqual(verdict);
});

test("ATA: a drive without the section supports nothing", () => {
  expect(judgeAta("/dev/sda:\n supported\n")).toEqual({ obstacle: "it does not support ATA secure erase" });
});
