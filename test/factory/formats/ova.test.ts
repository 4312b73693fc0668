import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Failure } from "../../../common/failure.ts";
import { convertToDisk } from "../../../factory/formats/convert-to-disk.ts";
import { describeImage } from "../../../factory/formats/describe-image.ts";
import { parseDescriptor } from "../../../factory/formats/ova/descriptor.ts";
import type { OvaProblem } from "../../../factory/formats/ova/invalid.ts";
import { parseManifest } from "../../../factory/formats/ova/manifest.ts";
import { makeStream, writeBytes } from "./images.ts";
import { type Entry, makeTar } from "./make-tar.ts";

const disk = Buffer.alloc(3 * 2 ** 16);
disk.fill("metal", 512, 2 ** 16);
disk.writeUInt16BE(0x55aa, 510);
const vmdk = makeStream(disk);

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ova-"));
});
afterAll(() => rm(directory, { recursive: true }));

interface Parts {
  file?: string;
  diskElement?: string;
  fileElement?: string;
  before?: string;
  system?: string;
}

const format = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized";
const describeOvf = ({ file = "", diskElement, fileElement, before = "", system }: Parts = {}) =>
  `<?xml version="1.0" encoding="UTF-8"?>${before}
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1">
  <References>${fileElement ?? `<File ovf:id="file1" ovf:href="disk.vmdk" ovf:size="${vmdk.length}" ${file}/>`}</References>
  <DiskSection><Info>Disks</Info>${
    diskElement ?? `<Disk ovf:diskId="d" ovf:fileRef="file1" ovf:capacity="1" ovf:format="${format}"/>`
  }</DiskSection>
  ${
    system ??
    `<VirtualSystem ovf:id="vm"><Info/><Name>metal</Name>
    <OperatingSystemSection ovf:id="96"><Info/><Description>Debian_64</Description></OperatingSystemSection>
  </VirtualSystem>`
  }
</Envelope>`;

type Member = [name: string, bytes: Buffer | string, header?: Partial<Entry>];

const hash = (algorithm: string, bytes: Buffer | string) => createHash(algorithm).update(bytes).digest("hex");
const manifestOf = (algorithm: string, members: Member[]) =>
  members.map(([name, bytes]) => `${algorithm.toUpperCase()}(${name})= ${hash(algorithm, bytes)}\n`).join("");

const tarOf = (members: Member[]) =>
  makeTar(members.map(([name, bytes, header]) => [{ name, ...header }, bytes] as const));

let count = 0;
async function convert(bytes: Buffer): Promise<Buffer> {
  count += 1;
  const file = await writeBytes(join(directory, `${count}.ova`), bytes);
  const folder = await mkdtemp(join(directory, "out-"));
  try {
    await convertToDisk(file, "ova", join(folder, "disk.raw"));
    return await readFile(join(folder, "disk.raw"));
  } catch (error) {
    expect(await readdir(folder)).toEqual([]);
    throw error;
  }
}

const ovf = describeOvf();
const first: Member = ["vm.ovf", ovf];
const last: Member = ["disk.vmdk", vmdk];
const plain = [first, last];
const refused = (problem: OvaProblem) => expect.objectContaining({ code: `ova-${problem}`, kind: "integrity" });

describe("an OVA is read", () => {
  test.for<[string, Member[]]>([
    ["without a manifest", plain],
    ["with a manifest after the descriptor", [first, ["vm.mf", manifestOf("sha256", plain)], last]],
    ["with a manifest at the end", [...plain, ["vm.mf", manifestOf("sha1", plain)]]],
    ["with SHA-512", [...plain, ["vm.mf", manifestOf("sha512", plain)]]],
    ["with a manifest as older tools write it", [...plain, ["vm.mf", manifestOf("sha1", plain).replaceAll("(", " (")]]],
    ["with files beside the disk", [...plain, ["vm.nvram", "nvram"], ["tools.iso", "iso"]]],
  ])("%s", async ([, members]) => {
    expect((await convert(await tarOf(members))).equals(disk)).toBe(true);
  });

  test("and described, with what is not verified", async () => {
    const members: Member[] = [...plain, ["vm.mf", manifestOf("sha256", plain)], ["vm.cert", "a certificate"]];
    const file = await writeBytes(join(directory, "described.ova"), await tarOf(members));
    expect(await describeImage(file, "ova")).toMatchObject({
      format: "ova",
      virtualSizeBytes: disk.length,
      details: {
        diskFile: "disk.vmdk",
        virtualSystem: "metal",
        operatingSystem: "Debian_64",
        subformat: "streamOptimized",
        manifest: "sha256",
        certificate: true,
      },
    });
  });
});

test.for([
  '<VirtualSystem ovf:id="vm"><Name ovf:msgid="name">metal</Name></VirtualSystem>',
  '<VirtualSystem ovf:id="vm"/><VirtualSystem ovf:id="second"/>',
  '<VirtualSystemCollection ovf:id="all"><VirtualSystem ovf:id="vm"/></VirtualSystemCollection>',
  "",
])("what is only for people to read is no reason to refuse one: %s", (system) => {
  expect(parseDescriptor("test.ova", describeOvf({ system }))).toMatchObject({ diskFile: "disk.vmdk" });
});

describe("an OVA is refused", () => {
  const withOvf = (parts: Parts): Member[] => [["vm.ovf", describeOvf(parts)], last];
  const oneDisk = `<Disk ovf:diskId="d" ovf:fileRef="file1" ovf:format="${format}"/>`;
  test.for<[string, OvaProblem, Member[]]>([
    ["whose descriptor is not the first", "descriptor-invalid", [last, first]],
    ["with two descriptors", "descriptor-invalid", [...plain, ["b.ovf", ovf]]],
    ["without a descriptor", "descriptor-invalid", [last]],
    ["with a file twice", "archive-invalid", [...plain, last]],
    ["with a link", "archive-invalid", [...plain, ["link", "", { type: "symlink", linkname: "/etc/shadow" }]]],
    ["with a folder", "archive-invalid", [...plain, ["folder", "", { type: "directory" }]]],
    ["with an absolute name", "archive-invalid", [...plain, ["/etc/cron.d/x", "x"]]],
    ["with a name that leads out", "archive-invalid", [...plain, ["a/../../x", "x"]]],
    ["whose descriptor is no XML", "descriptor-invalid", [["vm.ovf", "<Envelope>"], last]],
    ["whose descriptor is other XML", "descriptor-invalid", [["vm.ovf", "<html/>"], last]],
    ["whose descriptor is 2 MiB", "descriptor-invalid", [["vm.ovf", ovf + " ".repeat(2 ** 21)], last]],
    ["with entities", "descriptor-invalid", withOvf({ before: '<!DOCTYPE x [<!ENTITY a "b">]>' })],
    ["with no disk", "descriptor-invalid", withOvf({ diskElement: "" })],
    ["with two disks", "disk-count", withOvf({ diskElement: oneDisk + oneDisk })],
    [
      "with a disk based on another",
      "disk-unsupported",
      withOvf({ diskElement: oneDisk.replace("/>", ' ovf:parentRef="p"/>') }),
    ],
    ["with a disk of another format", "disk-unsupported", withOvf({ diskElement: oneDisk.replace(format, "qcow2") })],
    [
      "with an empty disk",
      "disk-unsupported",
      withOvf({ diskElement: `<Disk ovf:diskId="d" ovf:format="${format}"/>` }),
    ],
    ["with a compressed disk", "disk-unsupported", withOvf({ file: 'ovf:compression="gzip"' })],
    ["with a disk in chunks", "disk-unsupported", withOvf({ file: 'ovf:chunkSize="1000"' })],
    [
      "with a disk elsewhere",
      "disk-unsupported",
      withOvf({ fileElement: '<File ovf:id="file1" ovf:href="https://example.net/disk.vmdk"/>' }),
    ],
    [
      "with a disk in a file of the host",
      "disk-unsupported",
      withOvf({ fileElement: '<File ovf:id="file1" ovf:href="/etc/shadow"/>' }),
    ],
    [
      "with a disk of another size",
      "descriptor-invalid",
      withOvf({ fileElement: '<File ovf:id="file1" ovf:href="disk.vmdk" ovf:size="7"/>' }),
    ],
    ["whose manifest leaves out the disk", "manifest-invalid", [...plain, ["vm.mf", manifestOf("sha256", [first])]]],
    ["whose manifest is nonsense", "manifest-invalid", [...plain, ["vm.mf", "MD5(disk.vmdk)= 00"]]],
    ["with two manifests", "manifest-invalid", [...plain, ["a.mf", ""], ["b.mf", ""]]],
    [
      "whose descriptor was changed",
      "digest-mismatch",
      [...plain, ["vm.mf", manifestOf("sha256", [["vm.ovf", "x"], last])]],
    ],
    [
      "whose disk was changed",
      "digest-mismatch",
      [...plain, ["vm.mf", manifestOf("sha256", [first, ["disk.vmdk", "x"]])]],
    ],
  ])("%s", async ([, problem, members]) => {
    await expect(convert(await tarOf(members))).rejects.toThrow(refused(problem));
  });

  test("cut short anywhere", async () => {
    const whole = await tarOf(plain);
    for (const length of [600, 1024, Math.floor(whole.length / 2), whole.length - 1024]) {
      await expect(convert(whole.subarray(0, length))).rejects.toBeInstanceOf(Failure);
    }
  });

  test("whose disk is no VMDK", async () => {
    const size = `<File ovf:id="file1" ovf:href="disk.vmdk"/>`;
    const members: Member[] = [
      ["vm.ovf", describeOvf({ fileElement: size })],
      ["disk.vmdk", disk],
    ];
    await expect(convert(await tarOf(members))).rejects.toMatchObject({ code: "vmdk-header-invalid" });
  });
});

describe("hostile text", () => {
  const typed = (parse: () => unknown) => {
    try {
      parse();
    } catch (error) {
      expect(error).toBeInstanceOf(Failure);
      expect(error).toMatchObject({ kind: "integrity", message: expect.not.stringContaining("\n") });
    }
  };

  test("in a descriptor ends in a typed failure", () => {
    const pieces = fc.constantFrom(
      ...[
        "<Envelope>",
        "</Envelope>",
        "<References>",
        "<File ",
        'id="file1" ',
        "/>",
        "<Disk",
        "<DiskSection/>",
        "&lt;",
      ],
      ...["<![CDATA[", "]]>", "<!--", "-->", "<__proto__>", "<constructor/>", 'xmlns:a="b"', "<?xml", "?>", "\0"],
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(pieces, fc.string({ maxLength: 8 })), { maxLength: 30 }), (parts) => {
        typed(() => parseDescriptor("test.ova", parts.join("")));
      }),
    );
  });

  test("put into a good descriptor does, too", () => {
    fc.assert(
      fc.property(
        fc.nat(ovf.length),
        fc.nat(60),
        fc.string({ unit: "binary", maxLength: 12 }),
        (start, length, text) => {
          typed(() => parseDescriptor("test.ova", ovf.slice(0, start) + text + ovf.slice(start + length)));
        },
      ),
      { numRuns: 300 },
    );
  });

  test.for([
    ["nested deeply", "<a>".repeat(2 ** 18)],
    ["nested deeply and closed", "<a>".repeat(50_000) + "</a>".repeat(50_000)],
    ["of many attributes", `<Envelope ${Array.from({ length: 20_000 }, (_, index) => `a${index}="1"`).join(" ")}/>`],
    ["of many elements", `<Envelope>${"<a/>".repeat(2 ** 17)}</Envelope>`],
    ["of an open tag", `<${"a".repeat(2 ** 19)}`],
    ["of an open attribute", `<a b="${"c ".repeat(2 ** 19)}`],
  ])("%s is refused", ([, text]) => {
    expect(() => parseDescriptor("test.ova", text ?? "")).toThrow(Failure);
  });

  test("in a manifest ends in a typed failure", () => {
    const pieces = fc.constantFrom("SHA256(", "SHA1 (", ")= ", "a", "0".repeat(64), "\n", "\r\n", "=", ")");
    fc.assert(
      fc.property(fc.array(fc.oneof(pieces, fc.string({ maxLength: 4 })), { maxLength: 20 }), (parts) => {
        typed(() => parseManifest("test.ova", parts.join("")));
      }),
    );
  });
});

test("an OVA damaged at random becomes its disk or a typed failure", async () => {
  const whole = await tarOf([...plain, ["vm.mf", manifestOf("sha256", plain)]]);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.oneof(fc.nat(1024), fc.nat(whole.length - 1)), fc.integer({ min: 0, max: 255 })), {
        minLength: 1,
        maxLength: 5,
      }),
      async (changes) => {
        const damaged = Buffer.from(whole);
        for (const [offset, value] of changes) damaged.writeUInt8(value, offset);
        try {
          expect((await convert(damaged)).equals(disk)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(Failure);
        }
      },
    ),
    { numRuns: 80 },
  );
});
