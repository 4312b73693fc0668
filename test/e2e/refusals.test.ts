import { mkdir, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { digestFile } from "../../factory/checksum.ts";
import { openStore, publish } from "../../mirror/index.ts";
import { makeTinyImage } from "../factory/tiny-image.ts";
import { cardAddress } from "../lab/hardware.ts";
import { createServer, type Server } from "../lab/server.ts";
import { makeSampleImage, writeSampleImage } from "../mirror/sample-image.ts";
import { newMirror } from "../mirror/trust/new-mirror.ts";
import { twoDisks } from "./stage.ts";

/**
 * Each case runs in a rescue system with real disks: what the user is told, with which exit code, and what it left on
 * the disks.
 */
let directory: string;
let server: Server;
let transcript: string[];

const job = (overrides: object) =>
  JSON.stringify({
    image: "debian-12",
    mirror: "file:///srv/mirror",
    mirrorRoot: "mirror-root.json",
    disks: { count: 2 },
    storage: "raid1",
    instance: { hostname: "web-1" },
    after: "nothing",
    ...overrides,
  });

const bondAddress = "02:00:00:00:00:01";
const network = (mac: string) => ({ ethernets: { lan: { mac, dhcp4: true } } });

/**
 * `case NAME COMMAND...` prints what the command says between two marks, its exit code, and whether the disks' first
 * MiB changed.
 */
const script = `#!/bin/sh
disks() { cat /dev/sda /dev/sdb | head -c 1048576 | sha256sum; head -c 1048576 /dev/sdb | sha256sum; }
case_() {
  name=$1; shift
  before=$(disks)
  echo "begin $name"
  "$@"
  status=$?
  [ "$before" = "$(disks)" ] && touched=untouched || touched=written
  echo "end $name $status $touched"
}
case_ unknown-image metalcast install /root/job/unknown-image.json
case_ unknown-version metalcast install /root/job/unknown-version.json
case_ three-disks metalcast install /root/job/three-disks.json
case_ no-mdadm metalcast install /root/job/no-mdadm.json
case_ no-mirror metalcast install /root/job/no-mirror.json
case_ wrong-fields metalcast install /root/job/wrong-fields.json
case_ not-root setpriv --reuid=nobody --clear-groups metalcast install /root/job/good.json
mv /usr/sbin/sgdisk /usr/sbin/sgdisk-away
case_ no-sgdisk metalcast install /root/job/good.json
mv /usr/sbin/sgdisk-away /usr/sbin/sgdisk
case_ own-wrong-hash metalcast install /root/job/own-wrong-hash.json
case_ own-wrong-format metalcast install /root/job/own-wrong-format.json
case_ own-unfit metalcast install /root/job/own-unfit.json
case_ plan metalcast plan /root/job/good.json
case_ plan-json metalcast plan --json /root/job/good.json
case_ dry-run metalcast install --dry-run /root/job/good.json
case_ other-card metalcast install /root/job/other-card.json
modprobe bonding max_bonds=0
ip link add bond0 address ${bondAddress} type bond
ip link add link bond0 name bond0.7 type vlan id 7
ip link set vec0 down
ip link set vec0 master bond0
ip link set bond0 up
case_ bonded metalcast install /root/job/other-card.json
case_ own-card metalcast plan /root/job/own-card.json
case_ tampered metalcast install /root/job/good.json
echo "mounts $(grep -c /run/metalcast /proc/mounts) arrays $(grep -c ^md /proc/mdstat) boot-code $(head -c 440 /dev/sda | tr -d '\\000' | wc -c)"
sgdisk --zap-all /dev/sdb >/dev/null; mkfs.ext4 -q -F /dev/sdb; mkdir -p /mnt/data; mount -o ro /dev/sdb /mnt/data
case_ mounted metalcast install /root/job/good.json
umount /mnt/data; mkswap -q /dev/sdb; swapon /dev/sdb
case_ swap metalcast install /root/job/good.json
swapoff /dev/sdb

blockdev --setro /dev/sdb
case_ read-only metalcast install /root/job/good.json
blockdev --setrw /dev/sdb
case_ one-of-two metalcast install /root/job/one-disk.json
case_ hint metalcast disks /root/job/hint.json
mkfs.vfat --mbr=n -n CONFIG-2 /dev/sdb >/dev/null
udevadm trigger --settle /dev/sdb
case_ disks-json metalcast disks --json
mdadm --create /dev/md9 --run --level=1 --raid-devices=2 --metadata=1.0 missing /dev/sdb 2>/dev/null
case_ array metalcast install /root/job/good.json
case_ array-disks metalcast disks /root/job/good.json
mdadm --stop /dev/md9 2>/dev/null; mdadm --zero-superblock /dev/sdb; wipefs -qa /dev/sdb

mkfs.ext4 -q -F /dev/sdb
mkfifo /tmp/held /tmp/release
unshare --mount sh -c 'mount -o ro /dev/sdb /mnt/data; echo >/tmp/held; read -r line </tmp/release' &
read -r line </tmp/held
case_ out-of-sight metalcast install /root/job/take-apart.json
echo >/tmp/release; wait

# As live systems do it: the root is an overlay over a file on the medium, and the medium's mount has gone with the initramfs.
mount /dev/sdb /mnt/data
truncate -s 64M /mnt/data/live.img; mkfs.ext4 -q -F /mnt/data/live.img
umount /mnt/data; mount -o ro /dev/sdb /mnt/data
mkdir -p /mnt/live /mnt/root /tmp/upper /tmp/work
mount -o ro,loop /mnt/data/live.img /mnt/live
mount -t overlay -o lowerdir=/mnt/live:/,upperdir=/tmp/upper,workdir=/tmp/work overlay /mnt/root
for directory in proc sys dev run srv/mirror; do mount --rbind /$directory /mnt/root/$directory; done
umount --lazy /mnt/data
case_ live-system chroot /mnt/root metalcast install /root/job/take-apart.json
`;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "lab-"));
  const mirror = `${directory}/mirror`;
  await mkdir(mirror);
  const { mirror: store, root } = await newMirror(openStore(`file://${mirror}`), { directory });
  const sample = makeSampleImage({ frameSizes: [[65_536]] });
  const preinstalled = ["cloud-init", "mdadm"];
  for (const [name, packages] of [
    ["debian-12", preinstalled],
    ["plain-12", ["cloud-init"]],
  ] as const) {
    const manifest = { ...sample.manifest, name, minimumDiskBytes: 2 ** 30, preinstalled: [...packages] };
    await mkdir(`${directory}/${name}`);
    await writeSampleImage(`${directory}/${name}`, { ...sample, manifest });
    await publish(store, `${directory}/${name}`, { emit: () => {} });
  }
  const own = { file: "/srv/mirror/own/vendor.qcow2", sha256: await makeOwnImage(`${mirror}/own`) };
  await flipByte(`${mirror}/images/debian-12/amd64/20261123.0/image.tar.zst`);

  server = await createServer({ name: "refusals", directory: `${directory}/server`, disks: twoDisks, memoryMiB: 2048 });
  const { lines } = await server.runRescue({
    command: ["/root/job/run"],
    files: {
      "/root/job/run": script,
      "/root/job/mirror-root.json": root,
      "/root/job/good.json": job({}),
      "/root/job/unknown-image.json": job({ image: "debian-99" }),
      "/root/job/unknown-version.json": job({ image: "debian-12@20200101.0" }),
      "/root/job/three-disks.json": job({ disks: { count: 3 } }),
      "/root/job/one-disk.json": job({ disks: { count: 1 }, storage: "single" }),
      "/root/job/hint.json": job({ disks: { count: 1, match: { serial: "<in> ab1" } }, storage: "single" }),
      "/root/job/take-apart.json": job({ wipe: { held: "take-apart" } }),
      "/root/job/other-card.json": job({ instance: { hostname: "web-1", network: network(bondAddress) } }),
      "/root/job/own-card.json": job({ instance: { hostname: "web-1", network: network(cardAddress) } }),
      "/root/job/no-mdadm.json": job({ image: "plain-12" }),
      "/root/job/own-wrong-hash.json": job({ image: { ...own, sha256: "0".repeat(64) } }),
      "/root/job/own-wrong-format.json": job({ image: { ...own, format: "raw" } }),
      "/root/job/own-unfit.json": job({ image: own }),
      "/root/job/no-mirror.json": job({ mirror: "file:///nowhere" }),
      "/root/job/wrong-fields.json": job({ storage: "raid7", instance: { hostname: "-" } }),
    },
    shares: { "/srv/mirror": mirror },
    timeoutMs: 35 * 60_000,
  });
  transcript = lines;
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

/** One without a kernel. @returns its SHA-256 */
async function makeOwnImage(folder: string): Promise<string> {
  await mkdir(folder);
  const { path } = await makeTinyImage(folder);
  return digestFile(path, "sha256");
}

async function flipByte(file: string): Promise<void> {
  await using handle = await open(file, "r+");
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, 200);
  await handle.write(Buffer.from([buffer.readUInt8(0) ^ 0xff]), 0, 1, 200);
}

/** What one case said, and how it ended. */
function told(name: string): { text: string; end: string } {
  const from = transcript.indexOf(`begin ${name}`);
  const to = transcript.findIndex((line) => line.startsWith(`end ${name} `));
  if (from < 0 || to < from) throw new Error(`the case ${name} is not in:\n${transcript.join("\n")}`);
  return { text: transcript.slice(from + 1, to).join("\n"), end: (transcript[to] ?? "").slice(`end ${name} `.length) };
}

/** Nothing but the card itself is in the list. */
const noSuchCard = new RegExp(
  `error: .* no interface for lan \\(${bondAddress}\\); it has vec0 \\(${cardAddress}[^()]*\\)\nhint: `,
);

test.each([
  ["unknown-image", "3 untouched", /error: .*debian-99.*\nhint: images there: debian-12/],
  ["unknown-version", "3 untouched", /error: .*20200101\.0.*\nhint: newest versions: 20261123\.0/],
  ["three-disks", "3 untouched", /error: choosing 3 disk\(s\): 2 can be used.*\nhint: /],
  ["no-mdadm", "3 untouched", /error: plain-12@20261123\.0 lacks mdadm.*\nhint: build the image/],
  ["no-mirror", "3 untouched", /error: .*\/nowhere.*\nhint: /],
  ["wrong-fields", "3 untouched", /error: .*storage: .*instance\.hostname: .*\nhint: /],
  ["not-root", "3 untouched", /error: looking at the disks: only root may do this\nhint: /],
  ["no-sgdisk", "3 untouched", /error: .*not installed: sgdisk\nhint: apt-get install gdisk/],
  ["own-wrong-hash", "4 untouched", /error: verifying \/srv\/mirror\/own\/vendor\.qcow2: its sha256 is not.*\nhint: /],
  ["own-wrong-format", "4 untouched", /error: .*it is declared raw, its bytes are those of qcow2\nhint: /],
  ["own-unfit", "1 untouched", /error: looking for kernels: there is no \/boot\/vmlinuz-\*\nhint: /],
  ["plan", "0 untouched", /lay-image +lay debian-12@20261123\.0/],
  ["plan-json", "0 untouched", /"kind":"lay-image"/],
  ["dry-run", "0 untouched", /^mdadm --create \/dev\/md\/root/m],
  ["other-card", "3 untouched", noSuchCard],
  // The bond's address is on the card, which keeps its own all the same.
  ["bonded", "3 untouched", noSuchCard],
  ["own-card", "0 untouched", /config-drive +write the config drive/],
  ["tampered", "4 written", /error: .*SHA-256.*\nhint: /],
  ["mounted", "6 untouched", /error: .*\/dev\/sdb is mounted on \/mnt\/data.*\nhint: release the disk/],
  ["swap", "6 untouched", /error: .*\/dev\/sdb is used as swap.*\nhint: release the disk/],
  ["read-only", "3 untouched", /error: .*LAB1.*: it is read-only\nhint: lift/],
  [
    "one-of-two",
    "3 untouched",
    /error: choosing 1 disk\(s\): 2 match: \/dev\/disk\/by-id\/.*LAB0.*LAB1.*\nhint: narrow/,
  ],
  ["hint", "0 untouched", /LAB0 .* no: serial is "LAB0", not in "ab1"\n.*LAB1 .* taken for system/],
  ["disks-json", "0 untouched", /"configDriveLabels":\["\/dev\/sda3"\].*"configDriveLabels":\["\/dev\/sdb"\]/],
  ["array", "6 untouched", /error: .*LAB1.*\/dev\/md9 \(raid1\) is active on it.*\nhint: release the disk/],
  ["array-disks", "6 untouched", /LAB0 .* could be for system\n.*LAB1 .* no: \/dev\/md9 .*\nerror: /],
  ["out-of-sight", "6 untouched", /error: .*LAB1.*the running system lives on it: something that does not show/],
  ["live-system", "6 untouched", /error: .*LAB1.*the running system lives on it.*\nhint: /],
])("%s", (name, end, text) => {
  expect(told(name)).toEqual({ end, text: expect.stringMatching(text) });
});

test("after a failure nothing is left mounted or assembled, and nothing boots", () => {
  expect(transcript.filter((line) => line.startsWith("mounts "))).toEqual(["mounts 0 arrays 0 boot-code 0"]);
});
