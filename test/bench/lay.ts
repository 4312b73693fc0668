import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../common/run.ts";
import { freePort } from "../lab/loopback.ts";
import { startMisbehavingServer } from "../mirror/misbehaving-server.ts";
import { compile } from "./compile.ts";
import { openFastDisk } from "./fast-disk.ts";
import type { Bench } from "./measure.ts";
import { latestTime } from "./pack.ts";
import { publishTree } from "./publish-tree.ts";
import { buildRootTree } from "./root-tree.ts";
import { serveDirectory } from "./serve-directory.ts";

/** What installer/lay-image.ts asks of tar. */
const tarOptions = "--numeric-owner --same-owner --same-permissions --acls --selinux --xattrs --xattrs-include=*";

const pipe = `url=$1 target=$2; shift 2; curl -fsS "$url" | zstd -dc | tar -x -C "$target" "$@"`;

export const layBench: Bench = {
  async *compare() {
    const tree = await buildRootTree();
    const directory = await mkdtemp("/var/tmp/bench-lay-");
    await using server = await startMisbehavingServer(serveDirectory(join(directory, "mirror")));
    await using rsync = await startRsync(directory, tree);
    await using disk = await openFastDisk(3 * 2 ** 30);
    const { directory: target, format: prepare } = disk;
    try {
      const image = await publishTree({ tree, latestTime }, directory, server.url);
      const url = `${server.url}/${image.prefix}image.tar.zst`;
      const ours = [await compile("lay-ours", directory), JSON.stringify(image), target];
      const words = tarOptions.split(" ");
      yield {
        title: "lay an image",
        ours: { name: "metalcast", command: [process.execPath, ...ours], prepare },
        peers: [
          {
            name: "curl | zstd -d | tar -x",
            command: ["bash", "-o", "pipefail", "-c", pipe, "bash", url, target, ...words],
            prepare,
            target: 0.85,
          },
          {
            name: "rsync -aHAX",
            command: ["rsync", "-aHAX", "--numeric-ids", `${rsync.url}/`, `${target}/`],
            prepare,
            target: 0.5,
          },
        ],
      };
    } finally {
      await rm(directory, { recursive: true });
    }
  },
};

/** An rsync daemon on the loopback interface that serves the tree; rsyncd.conf(5). */
async function startRsync(directory: string, tree: string): Promise<{ url: string } & AsyncDisposable> {
  const port = await freePort();
  const configuration = join(directory, "rsyncd.conf");
  const lines = ["use chroot = no", "uid = 0", "gid = 0", "reverse lookup = no", "[tree]", `path = ${tree}`];
  await writeFile(configuration, `${lines.join("\n")}\n`);
  const stop = new AbortController();
  const args = ["--daemon", "--no-detach", "--address=127.0.0.1", `--port=${port}`, `--config=${configuration}`];
  const daemon = run("rsync", args, { doing: "serving the tree by rsync", signal: stop.signal });
  daemon.catch(() => undefined);
  const url = `rsync://127.0.0.1:${port}/tree`;
  await untilAnswered(url, daemon);
  return {
    url,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.allSettled([daemon]);
    },
  };
}

/** The daemon tells nobody when it listens. */
async function untilAnswered(url: string, daemon: Promise<unknown>): Promise<void> {
  const ask = () => run("rsync", [url], { doing: "asking the rsync daemon", accept: [0, 10] });
  const gone = daemon.then(() => Promise.reject(new Error("the rsync daemon has ended")));
  gone.catch(() => undefined);
  for (let answer = await ask(); answer.exitCode !== 0; answer = await Promise.race([gone, ask()]));
}
