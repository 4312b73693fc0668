import { mkdir, mkdtemp, rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { run } from "../../common/run.ts";
import { openStore } from "../../mirror/open-store.ts";
import type { Store } from "../../mirror/store.ts";
import { sync } from "../../mirror/sync/sync.ts";
import { pointerKey } from "../../mirror/trust/roles.ts";
import { type CephS3, startCephS3 } from "../lab/ceph-s3.ts";
import { collect, gather } from "../mirror/gather.ts";
import { compile } from "./compile.ts";
import { startCountingProxy } from "./counting-proxy.ts";
import type { Bench, Comparison } from "./measure.ts";
import { publishSampleMirror } from "./sample-mirror.ts";

/** Where the mirror lies that is copied. */
interface Source {
  title: string;
  store: Store;
  /** As each program names it. */
  names: Record<Program["name"], string>;
  /** Makes its pointer look as new as it is: programs that go by times would not copy it. */
  touch(): Promise<void>;
}

interface Program {
  name: "metalcast" | "rclone sync --fast-list" | "aws s3 sync";
  /** How it names a bucket. */
  nameOf(bucket: string): string;
  command(from: string, to: string): readonly [program: string, ...args: string[]];
  env: Record<string, string>;
}

/**
 * A run with nothing to do, and one after one image was published, from a directory and from a bucket of the same
 * server. All contenders speak to the server by way of one proxy, which counts.
 */
export const syncBench: Bench = {
  async *compare() {
    const directory = await mkdtemp("/var/tmp/bench-sync-");
    await using server = await startCephS3();
    await using proxy = await startCountingProxy(server.endpoint);
    try {
      const programs = listPrograms(await compile("sync-ours", directory), proxy.url, server);
      const sources = await publishBoth(directory, server);
      const compare = async function* (source: Source, before: Snapshot): AsyncGenerator<Comparison> {
        const targets = await Promise.all(programs.map(() => server.createBucket()));
        const contend = (prepare: (target: Store) => Promise<void>) =>
          programs.map(({ name, nameOf, command, env }, index) => {
            const bucket = targets[index] ?? "";
            const target = openBucket(server, bucket);
            return { name, env, command: command(source.names[name], nameOf(bucket)), prepare: () => prepare(target) };
          });
        for (const { name, command, env } of contend(async () => undefined)) {
          const [program, ...args] = command;
          await run(program, args, { doing: `filling a bucket by ${name}`, env });
        }
        const comparison = (title: string, prepare: (target: Store) => Promise<void>): Comparison => {
          const [ours, ...peers] = contend(prepare);
          if (!ours) throw new Error("nothing to compare");
          return { title: `${title}, ${source.title}`, traffic: proxy, ours, peers };
        };
        yield comparison("sync, nothing to do", async () => undefined);
        yield comparison("sync, one image is new", async (target) => {
          await putBack(target, before);
          await source.touch();
        });
      };
      for (const source of sources.list) yield* compare(source, sources.before);
    } finally {
      await rm(directory, { recursive: true });
    }
  },
};

/** What a mirror had before its last version: its keys, and its pointer. */
interface Snapshot {
  keys: ReadonlySet<string>;
  pointer: Buffer;
}

async function takeSnapshot(store: Store): Promise<Snapshot> {
  const keys = new Set((await gather(store.list(""))).map(({ key }) => key));
  return { keys, pointer: await collect(store.read(pointerKey)) };
}

async function putBack(target: Store, { keys, pointer }: Snapshot): Promise<void> {
  for (const { key } of await gather(target.list(""))) if (!keys.has(key)) await target.remove(key);
  await target.write(pointerKey, pointer);
}

/** One mirror in a directory, and the same in a bucket. */
async function publishBoth(directory: string, server: CephS3): Promise<{ list: Source[]; before: Snapshot }> {
  const path = join(directory, "mirror");
  await mkdir(path);
  const store = openStore(pathToFileURL(path).href);
  const { publishNext } = await publishSampleMirror(store, directory);
  const before = await takeSnapshot(store);
  await publishNext();
  const bucket = await server.createBucket();
  const copy = openBucket(server, bucket);
  await sync(store, copy, { emit: () => undefined });
  const pointer = await collect(store.read(pointerKey));
  return {
    before,
    list: [
      {
        title: "directory to S3",
        store,
        names: { metalcast: store.url, "rclone sync --fast-list": path, "aws s3 sync": path },
        // A bucket's times have whole seconds in some answers.
        touch: () => utimes(join(path, pointerKey), new Date(), new Date(Date.now() + 2000)),
      },
      {
        title: "S3 to S3, one server",
        store: copy,
        names: { metalcast: copy.url, "rclone sync --fast-list": `bench:${bucket}`, "aws s3 sync": copy.url },
        touch: async () => void (await copy.write(pointerKey, pointer)),
      },
    ],
  };
}

function openBucket({ endpoint, credentials }: CephS3, bucket: string): Store {
  return openStore(`s3://${bucket}`, { s3: { endpoint, credentials } });
}

/** The peers as their manuals advise for many objects. `.metalcast/` is no part of a mirror. */
function listPrograms(ours: string, endpoint: string, { credentials }: CephS3): Program[] {
  const { accessKeyId, secretAccessKey } = credentials;
  const env = {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_DEFAULT_REGION: "us-east-1",
    AWS_EC2_METADATA_DISABLED: "true",
  };
  const url = (bucket: string) => `s3://${bucket}`;
  return [
    {
      name: "metalcast",
      nameOf: url,
      command: (from, to) => [process.execPath, ours, from, to],
      env: { ...env, AWS_ENDPOINT_URL_S3: endpoint },
    },
    {
      name: "rclone sync --fast-list",
      nameOf: (bucket) => `bench:${bucket}`,
      command: (from, to) => ["rclone", "sync", "--fast-list", "--exclude", "/.metalcast/**", from, to],
      env: {
        RCLONE_CONFIG: "",
        RCLONE_CONFIG_BENCH_TYPE: "s3",
        RCLONE_CONFIG_BENCH_PROVIDER: "Ceph",
        RCLONE_CONFIG_BENCH_ENDPOINT: endpoint,
        RCLONE_CONFIG_BENCH_ACCESS_KEY_ID: accessKeyId,
        RCLONE_CONFIG_BENCH_SECRET_ACCESS_KEY: secretAccessKey,
        RCLONE_CONFIG_BENCH_NO_CHECK_BUCKET: "true",
      },
    },
    {
      name: "aws s3 sync",
      nameOf: url,
      command: (from, to) => [
        ...(["aws", "--endpoint-url", endpoint, "s3", "sync"] as const),
        ...["--only-show-errors", "--exclude", ".metalcast/*", from, to],
      ],
      env,
    },
  ];
}
