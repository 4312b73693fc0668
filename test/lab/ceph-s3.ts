import { createHash, randomUUID } from "node:crypto";
import { glob, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { run } from "../../common/run.ts";
import { cephConfiguration } from "./ceph-configuration.ts";

interface CephUser {
  accessKeyId: string;
  secretAccessKey: string;
}

export interface CephS3 extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  endpoint: string;
  /** Of the user who owns the buckets. */
  credentials: CephUser;
  /** @returns the name of a new, empty bucket */
  createBucket(): Promise<string>;
  /** Another user, who has no rights on any bucket: a bucket's policy gives them to `arn:aws:iam:::user/NAME`. */
  createUser(name: string): Promise<CephUser>;
}

/**
 * Starts a real S3 server of one's own, Ceph's RADOS gateway with all data in memory, on free ports of 127.0.0.1. The
 * first call on a machine unpacks it from Debian's packages (a minute) into the cache, METALCAST_CACHE or
 * /var/cache/metalcast.
 */
export async function startCephS3(): Promise<CephS3> {
  const root = await installCeph();
  const directory = await mkdtemp(join(tmpdir(), "ceph-s3-"));
  const stopping = new AbortController();
  const ended: Promise<unknown>[] = [];
  const stop = async () => {
    // A monitor takes five seconds to end in good order, and nothing of it is kept.
    for await (const file of glob(join(directory, "*.pid")))
      process.kill(Number(await readFile(file, "utf8")), "SIGKILL");
    stopping.abort();
    await Promise.all(ended);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const [gatewayPort = 0, monitorPort = 0] = await freePorts(2);
    const cluster = randomUUID();
    const configuration = join(directory, "ceph.conf");
    for (const name of ["monitor", "osd", "gateway", "log"]) await mkdir(join(directory, name));
    await writeFile(configuration, cephConfiguration({ root, directory, cluster, monitorPort }));

    const env = {
      CEPH_CONF: configuration,
      PYTHONHOME: `${root}/usr`,
      PYTHONPATH: `${root}/usr/lib/python3/dist-packages`,
    };
    const ceph = (program: string, ...args: string[]) =>
      run(...viaOwnLoader(root, program, args), { doing: `running Ceph's ${program}`, env, signal: stopping.signal });
    const start = (program: string, ...args: string[]) => {
      const daemon = ceph(program, "-f", ...args);
      ended.push(daemon.catch(() => undefined));
      return daemon;
    };

    const monitorMap = join(directory, "monitor.map");
    const monitorAddress = `[v2:127.0.0.1:${monitorPort}]`;
    await ceph("monmaptool", "--create", "--fsid", cluster, "--addv", "a", monitorAddress, monitorMap);
    await ceph("ceph-mon", "-i", "a", "--mkfs", "--monmap", monitorMap);
    const monitor = start("ceph-mon", "-i", "a");
    const osd = randomUUID();
    await ceph("python3", `${root}/usr/bin/ceph`, "--connect-timeout", "20", "osd", "new", osd, "0");
    await ceph("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd);
    const storage = start("ceph-osd", "-i", "0");
    const createUser = async (name: string): Promise<CephUser> => {
      const user = { accessKeyId: name, secretAccessKey: randomUUID() };
      // A secret of the test's own, in a process that only this machine sees: radosgw-admin reads it from its arguments
      // alone.
      const keys = ["--access-key", user.accessKeyId, "--secret-key", user.secretAccessKey];
      await ceph("radosgw-admin", "user", "create", "--uid", name, "--display-name", name, ...keys);
      return user;
    };
    const credentials = await createUser("metalcast");
    const frontend = `beast endpoint=127.0.0.1:${gatewayPort} tcp_nodelay=1`;
    const gateway = start("radosgw", "-n", "client.rgw.a", "--rgw-frontends", frontend);

    const endpoint = `http://127.0.0.1:${gatewayPort}`;
    // A daemon that ends by itself ends the waiting, with its own words.
    await Promise.race([answers(endpoint, stopping.signal), monitor, storage, gateway]);
    return {
      endpoint,
      credentials,
      async createBucket() {
        const Bucket = `bucket-${randomUUID()}`;
        const client = new S3Client({ endpoint, credentials, region: "us-east-1", forcePathStyle: true });
        await client.send(new CreateBucketCommand({ Bucket }));
        return Bucket;
      },
      createUser,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @returns the directory that holds the unpacked packages */
async function installCeph(): Promise<string> {
  const script = join(import.meta.dirname, "ceph-s3-install.sh");
  const version = createHash("sha256")
    .update(await readFile(script))
    .digest("hex")
    .slice(0, 12);
  const root = join(process.env.METALCAST_CACHE ?? "/var/cache/metalcast", `ceph-s3-${version}`);
  await run("bash", [script, root], { doing: "unpacking Ceph's packages" });
  return root;
}

/** The packages are of a newer Debian than the machine: their programs need their own C library. */
/** The kernel ends each of them with this process, however that ends. */
function viaOwnLoader(root: string, program: string, args: string[]): [string, string[]] {
  const libraries = `${root}/usr/lib/x86_64-linux-gnu`;
  const loader = `${root}/usr/lib64/ld-linux-x86-64.so.2`;
  const inherited = ["--pdeathsig", "KILL", loader];
  return [
    "setpriv",
    [...inherited, "--library-path", `${libraries}/ceph:${libraries}`, `${root}/usr/bin/${program}`, ...args],
  ];
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      const { promise, resolve } = Promise.withResolvers<void>();
      server.listen(0, "127.0.0.1", resolve);
      await promise;
      return server;
    }),
  );
  return servers.map((server) => {
    const address = server.address();
    server.close();
    return typeof address === "object" && address !== null ? address.port : 0;
  });
}

async function answers(endpoint: string, signal: AbortSignal): Promise<void> {
  const late = AbortSignal.any([signal, AbortSignal.timeout(60_000)]);
  for (;;) {
    const answer = await fetch(endpoint, { signal: late }).catch(() => undefined);
    if (answer?.ok) return;
    await delay(50, undefined, { signal: late });
  }
}
