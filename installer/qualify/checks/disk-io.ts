import { mkdir, realpath, rm, statfs } from "node:fs/promises";
import { basename } from "node:path";
import { Failure } from "../../../common/failure.ts";
import type { Measurement, Series } from "../../../mirror/index.ts";
import { DiskWatch } from "../../disk-faults.ts";
import { type Check, type CheckContext, measure } from "../check.ts";
import type { Settings } from "../profile.ts";
import { refuseUsed } from "../refuse-used.ts";
import { runFio, type Throughput } from "../run-fio.ts";
import { whileSampling } from "../sampler.ts";
import { readWord } from "../system-file.ts";
import { findUnderlyingDisks } from "../underlying-disks.ts";

type DiskSettings = Settings<"disk-io">;

/** Made in each folder of the profile; what a killed run has left in one is removed by the next. */
const folderName = "metalcast-qualify";

/** Writes and reads, and reads again what was written; the kernel has nothing to complain of meanwhile. */
export const diskIo: Check<DiskSettings> = {
  name: "disk-io",
  title: "write to disks and read",
  kind: "load",
  programs: () => ["fio"],
  async run(settings, context) {
    const measurements: Measurement[] = [];
    const series: Series[] = [];
    const problems: string[] = [];
    for (const device of settings.overwriteDevices) await refuseUsed(device);
    const add = (found: Exercised) => {
      measurements.push(...found.measurements);
      series.push(...found.series);
      problems.push(...found.problems);
    };
    for (const folder of settings.folders) add(await exerciseFolder(folder, settings, context));
    for (const device of settings.overwriteDevices) {
      // Something may have taken it in the meantime.
      await refuseUsed(device);
      add(await exercise(device, device, [basename(await realpath(device))], settings, context));
    }
    return { measurements, series, problems };
  },
};

interface Exercised {
  measurements: Measurement[];
  series: Series[];
  problems: string[];
}

async function exerciseFolder(folder: string, settings: DiskSettings, context: CheckContext): Promise<Exercised> {
  const own = `${folder}/${folderName}`;
  const { bavail, bsize } = await statfs(folder).catch((error: unknown) => {
    throw new Failure({
      code: "folder-missing",
      kind: "configuration",
      message: `writing to ${folder}: it is not there`,
      hint: "name folders of this server in the profile's `folders`",
      cause: error,
    });
  });
  if (bavail * bsize < settings.size * 1.1) {
    const problem = `${folder} has ${Math.floor((bavail * bsize) / 2 ** 20)} MiB left, too little for the test`;
    return { measurements: [], series: [], problems: [problem] };
  }
  await rm(own, { recursive: true, force: true });
  await mkdir(own, { mode: 0o700 });
  try {
    const disks = await findUnderlyingDisks(folder);
    return await exercise(folder, `${own}/data`, disks, settings, context);
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

async function exercise(
  subject: string,
  file: string,
  disks: readonly string[],
  settings: DiskSettings,
  { signal, say }: CheckContext,
): Promise<Exercised> {
  const problems: string[] = [];
  await using watch = await DiskWatch.start(disks.map((disk) => `/dev/${disk}`));
  const seconds = Math.max(1, Math.ceil(settings.duration / 4));
  // Colons stand between several names: fio(1), `filename`.
  const filename = file.replaceAll(":", "\\:");
  const common = { name: "qualify", filename, size: settings.size, direct: 1, ioengine: "psync" };
  const timed = { time_based: 1, runtime: seconds };
  const jobs = {
    // All of it once, however long that takes; what it holds is checked when it is read again.
    write: {
      rw: "write",
      bs: "1M",
      verify: "crc32c",
      do_verify: 1,
      verify_fatal: 1,
      verify_state_save: 0,
      end_fsync: 1,
    },
    read: { rw: "read", bs: "1M", ...timed },
    "random-read": { rw: "randread", bs: "4k", ...timed },
    "random-write": { rw: "randwrite", bs: "4k", ...timed },
  };
  const found = new Map<string, Throughput>();
  const { series } = await whileSampling(
    throughputOf(disks),
    { unit: "MB/s", seconds: settings.duration, signal },
    async () => {
      for (const [name, job] of Object.entries(jobs)) {
        say(`${subject}: ${name}`);
        const timeoutMs = ("runtime" in job ? seconds + 120 : 3600 * 4) * 1000;
        const result = await runFio({ ...common, ...job }, { doing: `${name} on ${subject}`, timeoutMs, signal });
        found.set(name, name.endsWith("write") ? result.write : result.read);
        if (result.error !== 0)
          problems.push(`${name} on ${subject} failed: ${result.said || `error ${result.error}`}`);
        if (result.error !== 0) break;
      }
    },
  );
  for (const { disk, says } of await watch.findFaults()) problems.push(`${disk} of ${subject}: ${says}`);
  const limits = [
    ["write", "MB/s", settings.minWriteMegabytes],
    ["read", "MB/s", settings.minReadMegabytes],
    ["random-read", "1/s", settings.minRandomReads],
    ["random-write", "1/s", settings.minRandomWrites],
  ] as const;
  const measurements = limits.flatMap(([name, unit, min]) => {
    const speed = found.get(name);
    if (!speed) return [];
    const value = unit === "MB/s" ? speed.megabytesPerSecond : speed.operationsPerSecond;
    const latency = measure(`${name}-latency`, speed.latencyMs, { subject, unit: "ms", max: settings.maxLatencyMs });
    return [measure(name, value, { subject, unit, min }), ...(unit === "1/s" ? [latency] : [])];
  });
  // Without any, the kernel's complaints are not heard.
  measurements.push(measure("disks", disks.join(" ") || undefined, { subject }));
  return { measurements, series: series.map((one) => ({ ...one, name: `${one.name} of ${subject}` })), problems };
}

/** Linux, Documentation/block/stat.rst: sectors of 512 bytes, read in the third column and written in the seventh. */
function throughputOf(disks: readonly string[]): () => Promise<Record<string, number>> {
  let former: { at: number; read: number; written: number } | undefined;
  return async () => {
    let [read, written] = [0, 0];
    for (const disk of disks) {
      const columns = (await readWord(`/sys/block/${disk}/stat`)).split(/\s+/).map(Number);
      read += (columns[2] ?? 0) * 512;
      written += (columns[6] ?? 0) * 512;
    }
    const now = { at: performance.now(), read, written };
    const before = former;
    former = now;
    if (!before || disks.length === 0) return {};
    const perSecond = (bytes: number) => Number((bytes / 1e3 / (now.at - before.at)).toFixed(2));
    return { read: perSecond(read - before.read), written: perSecond(written - before.written) };
  };
}
