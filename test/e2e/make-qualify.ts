import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { run } from "../../common/run.ts";
import { refuseUsed } from "../../installer/qualify/refuse-used.ts";
import { type QualificationReport, qualificationReportSchema } from "../../mirror/qualification/report.ts";
import { FaultyDisk } from "./matrix/faulty-disk.ts";

/** Runs in the rescue system: qualifies it with good disks and broken ones, and tells what comes of it. */
const doing = "preparing";
const mebibyte = 2 ** 20;
const tell = (what: string, found: unknown) => process.stdout.write(`${what}: ${found}\n`);
const shell = (script: string) => run("sh", ["-ec", script], { doing });

await shell("mkfs.ext4 -q /dev/sda && mkdir -p /srv/good /srv/bad && mount /dev/sda /srv/good");
const disk = { size: "16 MiB", duration: "1 s" };
const passing = {
  compute: { required: true, duration: "1 s" },
  memory: { required: true, duration: "1 s", percent: 5 },
  "disk-io": { required: true, folders: ["/srv/good"], ...disk },
  "network-bonds": {},
  inventory: { required: true, maxKernelErrors: 10_000 },
};
await qualify("good", passing);
await qualify("limit", { "disk-io": { folders: ["/srv/good"], ...disk, minReadMegabytes: 1e9, maxLatencyMs: 1e9 } });
await qualify("required", { "network-bonds": { required: true } });

// Without a journal, all that lies beyond the first 64 MiB is files' content.
const bad = await FaultyDisk.plugIn("FAULTY0", 256 * mebibyte, 0);
const { stdout: listed } = await run("lsblk", ["--nodeps", "--noheadings", "--paths", "--output", "NAME,SERIAL"], {
  doing,
});
const device = /^(\S+) +FAULTY0$/m.exec(listed)?.[1] ?? "/dev/none";
await shell(`mkfs.ext4 -q -O ^has_journal ${device} && mount ${device} /srv/bad`);
await bad.failWrites({ start: 64 * mebibyte, end: 248 * mebibyte });
const large = { ...disk, size: "120 MiB" };
await qualify("bad folder", { "disk-io": { folders: ["/srv/good", "/srv/bad"], ...large } });
await qualify("mounted device", { "disk-io": { folders: [], overwriteDevices: [device], ...large } });
await shell("umount /srv/bad");
await qualify("bad device", { "disk-io": { folders: [], overwriteDevices: [device], ...large } });
tell("bad device is", device);

await shell(`sgdisk --new=1::+64M --new=2::+64M --new=3::+64M --new=4::+64M /dev/sdb && udevadm settle
  mdadm --quiet --create /dev/md/q --name=q --run --level=1 --metadata=1.2 --raid-devices=2 /dev/sdb1 missing
  mkswap /dev/sdb2 && swapon /dev/sdb2
  pvcreate -q /dev/sdb3 && vgcreate -q vg /dev/sdb3 && lvcreate -q -y --zero n --size 8M --name lv vg && udevadm settle`);
await qualify("arrays", { "disk-arrays": {} });
for (const path of ["/dev/sda", "/dev/sdb", "/dev/sdb1", "/dev/sdb2", "/dev/sdb3", "/dev/sdb4", "/dev/none", "/etc"]) {
  tell(`overwriting ${path}`, await refuseUsed(path).then(() => "may be done", codeOf));
}

await interrupt();
await qualify("afterwards", { "disk-io": { folders: ["/srv/good"], ...disk } });

await connect();
const peer = { peer: "192.0.2.2", duration: "1 s", pings: 40 };
await qualify("peer", { "network-peer": { ...peer, minMtu: 1500, minThroughputMbps: 0.001 } });
await shell(`modprobe -a sch_prio sch_netem cls_u32
  tc qdisc add dev here root handle 1: prio
  tc qdisc add dev here parent 1:3 handle 30: netem loss 40%
  tc filter add dev here parent 1: protocol ip prio 1 u32 match ip protocol 1 0xff flowid 1:3`);
await qualify("lossy peer", { "network-peer": { ...peer, minMtu: 9000, minThroughputMbps: 1e9 } });
process.exit();

async function qualify(name: string, items: object): Promise<void> {
  const { exitCode, report, said } = await start(name, items);
  tell(`${name}, exit code`, `${exitCode}, ${report?.outcome}`);
  tell(`${name}, image`, `${report?.image?.name}@${report?.image?.version} ${report?.image?.manifestSha256?.length}`);
  for (const item of report?.items ?? []) {
    tell(`${name}, ${item.name}`, `${item.outcome}${item.reason === undefined ? "" : `, ${item.reason}`}`);
  }
  if (report === undefined) tell(`${name}, said`, said.trim().replaceAll("\n", " | "));
}

async function start(name: string, items: object, meanwhile?: () => Promise<void>) {
  const profile = "/root/profile.yaml";
  await writeFile(profile, JSON.stringify({ name: name.replaceAll(" ", "-"), items }));
  const directory = `/root/reports/${name}`;
  await mkdir(directory, { recursive: true });
  const said: string[] = [];
  const qualifying = run("metalcast", ["-q", "qualify", "--profile", profile, "--report", directory], {
    doing: "qualifying",
    accept: [0, 1, 3, 6, 130],
    onLine: (line) => said.push(line),
  });
  await meanwhile?.();
  const { exitCode } = await qualifying;
  const text = await readFile(`${directory}/report.json`, "utf8").catch(() => undefined);
  const report: QualificationReport | undefined =
    text === undefined ? undefined : qualificationReportSchema.parse(JSON.parse(text));
  return { exitCode, report, said: said.join("\n"), files: (await readdir(directory)).sort() };
}

/** Ends a qualification in the middle of its writing, as an administrator would. */
async function interrupt(): Promise<void> {
  const own = "/srv/good/metalcast-qualify";
  const items = {
    "network-links": {},
    "disk-io": { folders: ["/srv/good"], size: "64 MiB", duration: "10min" },
    "disk-arrays": {},
  };
  const end = async () => {
    while ((await readdir(own).catch(() => [])).length === 0 || (await find(/fio/)).length === 0) await delay(100);
    const [id = 0] = await find(/metalcast\.mjs.*qualify/);
    process.kill(id, "SIGTERM");
  };
  const { exitCode, report, files } = await start("interrupted", items, end);
  tell("interrupted, exit code", `${exitCode}, ${report?.outcome}`);
  for (const item of report?.items ?? []) tell(`interrupted, ${item.name}`, `${item.outcome}, ${item.reason}`);
  tell("interrupted, its report", files.join(" "));
  tell("interrupted, programs left", (await find(/fio|stress-ng|flock/)).length);
  tell("interrupted, files left", (await readdir("/srv/good")).filter((name) => name !== "lost+found").length);
}

/** Processes whose command line is like this. */
async function find(words: RegExp): Promise<number[]> {
  const ids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const found: number[] = [];
  for (const id of ids) {
    const line = await readFile(`/proc/${id}/cmdline`, "utf8").catch(() => "");
    if (words.test(line.replaceAll("\0", " "))) found.push(Number(id));
  }
  return found;
}

/** A peer in a network of its own, on which `iperf3 --server` runs. */
async function connect(): Promise<void> {
  await shell(`modprobe veth; ip netns add peer
    ip link add here type veth peer name there netns peer
    ip address add 192.0.2.1/24 dev here; ip link set here up
    ip -n peer address add 192.0.2.2/24 dev there; ip -n peer link set there up; ip -n peer link set lo up`);
  const listening = Promise.withResolvers<void>();
  run("ip", ["netns", "exec", "peer", "iperf3", "--server", "--forceflush"], {
    doing: "serving as a peer",
    onLine: (line) => line.startsWith("Server listening") && listening.resolve(),
  }).catch(listening.reject);
  await listening.promise;
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
