import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { run } from "../../../common/run.ts";
import { configDriveFiles } from "../../../installer/config-drive/documents.ts";
import { checkConfigDriveFits, makeConfigDriveImage } from "../../../installer/config-drive/image.ts";
import { instanceSchema } from "../../../installer/config-drive/instance.ts";
import { publicKey } from "./public-key.ts";

const sizeBytes = 2 ** 20;
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
  version: z.number(),
  network: z.unknown(),
  rendered: z.object({ netplan: z.string(), eni: z.string() }).partial(),
});

/** Makes the drive for an instance as a job gives it, and lets cloud-init's own code read it. */
async function readByCloudInit(instance: z.input<typeof instanceSchema>) {
  const image = await makeConfigDriveImage(configDriveFiles(instanceSchema.parse(instance), uuid), { sizeBytes });
  const work = await mkdtemp(join(directory, "drive-"));
  const file = join(work, "drive.iso");
  await writeFile(file, image);
  await run("osirrox", ["-indev", file, "-extract", "/", join(work, "tree")], { doing: "reading the drive" });
  const script = join(import.meta.dirname, "read-config-drive.py");
  const { stdout } = await run(
    "/usr/bin/python3",
    [script, join(work, "tree"), join(work, "rendered"), `eth7=${uplink}`, `eth8=${second}`],
    { doing: "reading the drive with cloud-init" },
  );
  return { seen: seenSchema.parse(JSON.parse(stdout)), file };
}

describe("cloud-init reads what the job said", () => {
  test("name, keys, data", async () => {
    const sshKeys = [`${publicKey("ssh-ed25519", [1, 2, 3])} me@example.net`, publicKey("ssh-rsa", [4])];
    const userData = `#cloud-config\n# "quotes", \\ and ünïcode\nruncmd: [[echo, "$HOME"]]\n`;
    const { seen, file } = await readByCloudInit({
      hostname: "web-1.example.net",
      sshKeys,
      userData,
      vendorData: "#cloud-config\ntimezone: UTC\n",
      metadata: { role: 'frönt "end"' },
      availabilityZone: "rack-7",
    });
    expect(seen).toMatchObject({
      instanceId: uuid,
      hostname: "web-1.example.net",
      publicKeys: sshKeys,
      meta: { role: 'frönt "end"' },
      availabilityZone: "rack-7",
      userData,
      vendorData: "#cloud-config\ntimezone: UTC\n",
      version: 2,
    });
    const { stdout } = await run("blkid", ["-p", "-o", "export", file], { doing: "reading the label" });
    expect(stdout).toContain("LABEL=config-2\n");
    expect(stdout).toContain("TYPE=iso9660\n");
  });

  test("the least that a job can say leaves the network to cloud-init's DHCP", async () => {
    const { seen } = await readByCloudInit({ hostname: "a" });
    expect(seen).toMatchObject({ hostname: "a", publicKeys: [], userData: null, vendorData: null, network: null });
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
    const { network } = parse(seen.rendered.netplan ?? "");
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
    expect(seen.rendered.eni).toMatch(/iface eth7 inet static\n {4}address 192\.0\.2\.10\/26\n/);
    expect(seen.rendered.eni).toMatch(/iface eth7 inet6 static\n {4}address 2001:db8::10\/64\n/);
    expect(seen.rendered.eni).toContain("add default gw 192.0.2.1");
    expect(seen.rendered.eni).toContain("add -A inet6 default gw 2001:db8::1");
  });

  test("a VLAN on a bond", async () => {
    const { seen } = await readByCloudInit({
      hostname: "a",
      network: {
        ethernets: { left: { mac: uplink }, right: { mac: second } },
        bonds: { pair: { links: ["left", "right"], mode: "802.3ad", dhcp4: true } },
        vlans: { storage: { link: "pair", id: 42, addresses: ["10.42.0.5/24"] } },
      },
    });
    const { network } = parse(seen.rendered.netplan ?? "");
    expect(network.bonds.bond0).toMatchObject({
      interfaces: ["eth7", "eth8"],
      parameters: { mode: "802.3ad", "mii-monitor-interval": 100 },
      dhcp4: true,
    });
    expect(network.vlans["bond0.42"]).toMatchObject({ id: 42, link: "bond0", addresses: ["10.42.0.5/24"] });
  });
});

describe("the image", () => {
  const filesFor = (userData: string) => configDriveFiles(instanceSchema.parse({ hostname: "a", userData }), uuid);

  test("is the same for the same files, and fills its partition exactly", async () => {
    const files = filesFor("#!/bin/sh\n");
    const [first, again] = await Promise.all([1, 2].map(() => makeConfigDriveImage(files, { sizeBytes })));
    expect(first?.length).toBe(sizeBytes);
    expect(first?.equals(again ?? Buffer.alloc(0))).toBe(true);
  });

  test("holds user data once, so that nearly a whole partition of it fits; what is larger is refused", async () => {
    const large = filesFor("x".repeat(sizeBytes - 112 * 1024));
    checkConfigDriveFits(large, sizeBytes);
    await makeConfigDriveImage(large, { sizeBytes });

    const tooLarge = filesFor("x".repeat(sizeBytes));
    const refusal = expect.objectContaining({ code: "config-drive-too-small", kind: "configuration" });
    expect(() => checkConfigDriveFits(tooLarge, sizeBytes)).toThrow(refusal);
    await expect(makeConfigDriveImage(tooLarge, { sizeBytes })).rejects.toEqual(refusal);
  });

  test("leaves nothing in the temporary directory, interrupted or not", async () => {
    const left = async () => (await readdir(tmpdir())).filter((name) => name.startsWith("metalcast-config-drive-"));
    const before = await left();
    await makeConfigDriveImage(filesFor("secret"), { sizeBytes });
    await expect(
      makeConfigDriveImage(filesFor("secret"), { sizeBytes, signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ code: "interrupted" });
    expect(await left()).toEqual(before);
  });
});
