import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { run } from "../../../common/run.ts";
import { configDriveFiles } from "../../../installer/config-drive/documents.ts";
import { type ConfigDriveFormat, configDriveFormat } from "../../../installer/config-drive/format.ts";
import { makeConfigDriveImage } from "../../../installer/config-drive/image.ts";
import { instanceSchema } from "../../../installer/config-drive/instance.ts";
import { sizeConfigDrive } from "../../../installer/config-drive/size.ts";
import { publicKey } from "./public-key.ts";
import { renderedSchema, runPython } from "./render.ts";

const mebibyte = 2 ** 20;
const uuid = "b4b0ac8d-6f4f-4d0a-9d5c-0a4a3f7d1c11";
const uplink = "52:54:00:00:00:01";
const second = "52:54:00:00:00:02";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "config-drive-test-"));
});
afterAll(() => rm(directory, { recursive: true }));

const seenSchema = z.object({
  instanceId: z.string(),
  hostname: z.string(),
  publicKeys: z.array(z.string()),
  meta: z.record(z.string(), z.string()),
  availabilityZone: z.string().nullable(),
  userData: z.string().nullable(),
  vendorData: z.string().nullable(),
  vendorData2: z.string().nullable(),
  ec2: z.record(z.string(), z.unknown()),
  version: z.number(),
  network: z.unknown(),
  rendered: renderedSchema.partial(),
});

/** Makes the drive for a disk with such sectors. */
async function makeFor(sectorBytes: number, files: ReadonlyMap<string, string>, signal?: AbortSignal): Promise<Buffer> {
  const options = { format: configDriveFormat(sectorBytes), sizeBytes: sizeConfigDrive(files, sectorBytes) };
  return makeConfigDriveImage(files, { ...options, ...(signal && { signal }) });
}

/** Neither is mounted: a machine that runs the tests may know neither file system. */
const extract: Record<ConfigDriveFormat, (file: string, tree: string) => Promise<unknown>> = {
  iso9660: (file, tree) => run("osirrox", ["-indev", file, "-extract", "/", tree], { doing: "reading the drive" }),
  fat: async (file, tree) => {
    await mkdir(tree);
    await run("mcopy", ["-s", "-i", file, "::/openstack", "::/ec2", tree], { doing: "reading the drive" });
  },
};

/** Makes the drive for an instance as a job gives it, and lets cloud-init's own code read it. */
async function readByCloudInit(instance: z.input<typeof instanceSchema>, sectorBytes = 512) {
  const image = await makeFor(sectorBytes, configDriveFiles(instanceSchema.parse(instance), uuid));
  const work = await mkdtemp(join(directory, "drive-"));
  const file = join(work, "drive");
  const tree = join(work, "tree");
  await writeFile(file, image);
  await extract[configDriveFormat(sectorBytes)](file, tree);
  const seen = await runPython("read-config-drive.py", [tree, `eth7=${uplink}`, `eth8=${second}`]);
  return { seen: seenSchema.parse(seen), file, tree };
}

describe.each([
  { sectorBytes: 512, type: "iso9660" },
  { sectorBytes: 4096, type: "vfat" },
])("cloud-init reads what the job said, on sectors of $sectorBytes bytes", ({ sectorBytes, type }) => {
  test("name, keys, data", async () => {
    const sshKeys = [`${publicKey("ssh-ed25519", [1, 2, 3])} me@example.net`, publicKey("ssh-rsa", [4])];
    const userData = `#cloud-config\n# "quotes", \\ and ünïcode\nruncmd: [[echo, "$HOME"]]\n`;
    const instance = {
      hostname: "web-1.example.net",
      sshKeys,
      userData,
      vendorData: "#cloud-config\ntimezone: UTC\n",
      metadata: { role: 'frönt "end"' },
      availabilityZone: "rack-7",
    };
    const { seen, file } = await readByCloudInit(instance, sectorBytes);
    expect(seen).toMatchObject({
      instanceId: uuid,
      hostname: "web-1.example.net",
      publicKeys: sshKeys,
      meta: { role: 'frönt "end"' },
      availabilityZone: "rack-7",
      userData,
      vendorData: "#cloud-config\ntimezone: UTC\n",
      vendorData2: null,
      ec2: { "instance-id": uuid, "block-device-mapping": {} },
      version: 2,
    });
    const { stdout } = await run("blkid", ["-p", "-o", "export", file], { doing: "reading the label" });
    expect(stdout).toContain("LABEL=config-2\n");
    expect(stdout).toContain(`TYPE=${type}\n`);
  });

  test("the least that a job can say leaves the network to cloud-init's DHCP", async () => {
    const { seen } = await readByCloudInit({ hostname: "a" }, sectorBytes);
    expect(seen).toMatchObject({ hostname: "a", publicKeys: [], userData: null, vendorData: null, network: null });
  });
});

describe("the network on the drive", () => {
  test("has every version of the tree that cloud-init knows", async () => {
    const { tree } = await readByCloudInit({ hostname: "a" });
    const script = "from cloudinit.sources.helpers.openstack import OS_VERSIONS; print('\\n'.join(OS_VERSIONS))";
    const { stdout } = await run("/usr/bin/python3", ["-c", script], { doing: "asking cloud-init" });
    expect((await readdir(join(tree, "openstack"))).sort()).toEqual([...stdout.trim().split("\n"), "latest"]);
  });

  test("addresses, routes and name servers of an interface found by its MAC address", async () => {
    const { seen } = await readByCloudInit({
      hostname: "a",
      network: {
        ethernets: {
          uplink: {
            mac: uplink,
            mtu: 9000,
            addresses: ["192.0.2.10/26", "2001:db8::10/64"],
            routes: [
              { to: "default", via: "192.0.2.1" },
              { to: "10.0.0.0/8", via: "192.0.2.2" },
              { to: "default", via: "2001:db8::1" },
            ],
          },
          back: { mac: second, dhcp4: true },
        },
        nameservers: ["192.0.2.53", "2001:db8::53"],
      },
    });
    const { network } = parse(seen.rendered.netplan?.["netplan.yaml"] ?? "");
    expect(network.ethernets.eth7).toMatchObject({
      match: { macaddress: uplink },
      mtu: 9000,
      addresses: ["192.0.2.10/26", "2001:db8::10/64"],
      routes: [
        { to: "0.0.0.0/0", via: "192.0.2.1" },
        { to: "10.0.0.0/8", via: "192.0.2.2" },
        { to: "::/0", via: "2001:db8::1" },
      ],
      nameservers: { addresses: ["192.0.2.53", "2001:db8::53"] },
    });
    expect(network.ethernets.eth8).toMatchObject({ dhcp4: true });
    expect(seen.rendered.eni?.interfaces).toMatch(/iface eth7 inet static\n {4}address 192\.0\.2\.10\/26\n/);
    expect(seen.rendered.eni?.interfaces).toMatch(/iface eth7 inet6 static\n {4}address 2001:db8::10\/64\n/);
    expect(seen.rendered.eni?.interfaces).toContain("add default gw 192.0.2.1");
    expect(seen.rendered.eni?.interfaces).toContain("add -A inet6 default gw 2001:db8::1");
  });

  test("is none for a network with bridges, which goes another way", async () => {
    const network = { ethernets: { lan0: { mac: uplink } }, bridges: { br0: { links: ["lan0"], dhcp4: true } } };
    expect((await readByCloudInit({ hostname: "a", network })).seen.network).toBeNull();
  });
});

describe.each([512, 4096])("the image for sectors of %i bytes", (sectorBytes) => {
  const filesFor = (userData: string) => configDriveFiles(instanceSchema.parse({ hostname: "a", userData }), uuid);

  test("is the same for the same files, and fills its partition exactly", async () => {
    const files = filesFor("#!/bin/sh\n");
    const [first, again] = await Promise.all([1, 2].map(() => makeFor(sectorBytes, files)));
    expect(first?.length).toBe(mebibyte);
    expect(first?.equals(again ?? Buffer.alloc(0))).toBe(true);
  });

  test("is as large as the user data needs, and not larger", async () => {
    const userData = (sizeBytes: number) => filesFor("x".repeat(sizeBytes));
    expect(sizeConfigDrive(userData(mebibyte - 256 * 1024), sectorBytes)).toBe(mebibyte);
    expect(sizeConfigDrive(userData(mebibyte), sectorBytes)).toBe(2 * mebibyte);
    // The estimate may say too much, never too little. FAT12 ends where 16 MiB begin.
    for (const mebibytes of [1, 15, 16, 64]) {
      let kibibytes = mebibytes * 1024 - 128;
      while (!fits(userData(kibibytes * 1024), mebibytes)) kibibytes -= 4;
      const image = await makeFor(sectorBytes, userData(kibibytes * 1024));
      expect(image.length).toBe(mebibytes * mebibyte);
    }
  });

  /** Whether such a drive is promised to hold the files. */
  function fits(files: ReadonlyMap<string, string>, mebibytes: number): boolean {
    try {
      return sizeConfigDrive(files, sectorBytes) <= mebibytes * mebibyte;
    } catch {
      return false;
    }
  }

  test("more than 64 MiB is refused", () => {
    expect(() => sizeConfigDrive(filesFor("x".repeat(64 * mebibyte)), sectorBytes)).toThrow(
      expect.objectContaining({ code: "config-drive-too-small", kind: "configuration", hint: expect.any(String) }),
    );
  });

  test("leaves nothing in the temporary directory, interrupted or not", async () => {
    const left = async () => (await readdir(tmpdir())).filter((name) => name.startsWith("metalcast-config-drive-"));
    const before = await left();
    await makeFor(sectorBytes, filesFor("secret"));
    await expect(makeFor(sectorBytes, filesFor("secret"), AbortSignal.abort())).rejects.toMatchObject({
      code: "interrupted",
    });
    expect(await left()).toEqual(before);
  });
});
