import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { configDriveFiles } from "../../installer/config-drive/documents.ts";
import { type ConfigDriveFormat, configDriveFormat } from "../../installer/config-drive/format.ts";
import { makeConfigDriveImage } from "../../installer/config-drive/image.ts";
import { instanceSchema } from "../../installer/config-drive/instance.ts";
import { createServer, type Server } from "../lab/server.ts";
import { twoDisks } from "./stage.ts";

/** Linux itself mounts config drives of every size and kind of FAT from devices with sectors of 512 and 4,096 bytes. */
const drives = [
  { name: "iso-on-512", format: "iso9660", mebibytes: 1, sectorBytes: 512 },
  { name: "iso-on-4096", format: "iso9660", mebibytes: 1, sectorBytes: 4096 },
  { name: "fat-on-4096", format: "fat", mebibytes: 1, sectorBytes: 4096 },
  { name: "fat12-on-4096", format: "fat", mebibytes: 15, sectorBytes: 4096 },
  { name: "fat16-on-4096", format: "fat", mebibytes: 16, sectorBytes: 4096 },
  { name: "largest-on-4096", format: "fat", mebibytes: 64, sectorBytes: 4096 },
  { name: "fat-on-512", format: "fat", mebibytes: 1, sectorBytes: 512 },
] as const satisfies { name: string; format: ConfigDriveFormat; mebibytes: number; sectorBytes: number }[];

/** Mounts each as cloud-init does (cloudinit/util.py, `mount_cb`) and prints what it finds. */
const script = `#!/bin/sh
mkdir -p /mnt/drive
while read -r name sectors; do
  device=$(losetup --find --show --read-only --sector-size "$sectors" "/srv/drives/$name") || exit 1
  echo "$name label $(blkid -p -o value -s LABEL "$device")"
  if mount -o ro -t auto "$device" /mnt/drive; then
    echo "$name read $(sha256sum < /mnt/drive/openstack/latest/user_data) $(ls /mnt/drive/openstack/latest | tr '\\n' ' ')"
    echo "$name mode $(stat -c %a-%U /mnt/drive/openstack/latest/user_data)"
    umount /mnt/drive
  else
    echo "$name refused"
  fi
  losetup --detach "$device"
done < /srv/drives/list
`;

const instance = instanceSchema.parse({ hostname: "web-1", userData: `#cloud-config\n# ${"x".repeat(300_000)}\n` });
let directory: string;
let server: Server;
let transcript: string[];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "lab-"));
  const share = join(directory, "drives");
  await mkdir(share);
  const files = configDriveFiles(instance, "b4b0ac8d-6f4f-4d0a-9d5c-0a4a3f7d1c11");
  for (const { name, format, mebibytes } of drives) {
    await writeFile(join(share, name), await makeConfigDriveImage(files, { format, sizeBytes: mebibytes * 2 ** 20 }));
  }
  await writeFile(join(share, "list"), drives.map(({ name, sectorBytes }) => `${name} ${sectorBytes}\n`).join(""));
  const options = { name: "config-drive", directory: join(directory, "server"), disks: twoDisks, memoryMiB: 1024 };
  server = await createServer(options);
  const { lines } = await server.runRescue({
    command: ["/root/job/run"],
    files: { "/root/job/run": script },
    shares: { "/srv/drives": share },
    timeoutMs: 35 * 60_000,
  });
  transcript = lines;
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const told = (name: string, what: string) =>
  transcript.filter((line) => line.startsWith(`${name} ${what}`)).map((line) => line.slice(name.length + 1));

test.each(drives)("$name, $mebibytes MiB", ({ name, format, sectorBytes }) => {
  const sha256 = createHash("sha256")
    .update(instance.userData ?? "")
    .digest("hex");
  const names = "meta_data.json user_data vendor_data.json vendor_data2.json ";
  // The reason why there are two formats.
  const canMount = format === "fat" || configDriveFormat(sectorBytes) === "iso9660";
  expect(told(name, "read")).toEqual(canMount ? [`read ${sha256}  - ${names}`] : []);
  expect(told(name, "refused")).toEqual(canMount ? [] : ["refused"]);
  if (canMount) expect(told(name, "label")).toEqual(["label config-2"]);
  if (format === "iso9660" && canMount) expect(told(name, "mode")).toEqual(["mode 600-root"]);
});
