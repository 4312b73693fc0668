import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { compile } from "./compile.ts";
import { openFastDisk } from "./fast-disk.ts";
import type { Bench, Comparison } from "./measure.ts";
import { openNetwork } from "./network.ts";
import { latestTime } from "./pack.ts";
import { publishTree } from "./publish-tree.ts";
import { buildRootTree } from "./root-tree.ts";
import { startRsync, startWebServer } from "./servers.ts";

/** What installer/lay-image.ts asks of tar. */
const tarOptions = "--numeric-owner --same-owner --same-permissions --acls --selinux --xattrs --xattrs-include=*";

const pipe = `url=$1 target=$2; shift 2; curl -fsS "$url" | zstd -dc | tar -x -C "$target" "$@"`;

/** What a network lets through: all that two processors can do, and what most servers have. */
const links = [{ title: "lay an image" }, { title: "lay an image over 1 Gbit/s", rate: "1gbit" }];

export const layBench: Bench = {
  async *compare() {
    const tree = await buildRootTree();
    const directory = await mkdtemp("/var/tmp/bench-lay-");
    await using disk = await openFastDisk(3 * 2 ** 30);
    const { directory: target, format: prepare } = disk;
    try {
      const ours = await compile("lay-ours", directory);
      const mirror = join(directory, "mirror");
      const image = await publishTree({ tree, latestTime }, directory, `file://${mirror}`);
      for (const { title, rate } of links) {
        await using network = await openNetwork(rate);
        await using web = await startWebServer(network, mirror, directory);
        await using rsync = await startRsync(network, tree, directory);
        const planned = JSON.stringify({ ...image, mirror: web.url });
        const archive = `${web.url}/${image.prefix}image.tar.zst`;
        const words = tarOptions.split(" ");
        yield {
          title,
          ours: { name: "metalcast", command: network.within(process.execPath, ours, planned, target), prepare },
          peers: [
            {
              name: "curl | zstd -d | tar -x",
              command: network.within("bash", "-o", "pipefail", "-c", pipe, "bash", archive, target, ...words),
              prepare,
              target: 0.85,
            },
            {
              name: "rsync -aHAX",
              command: network.within("rsync", "-aHAX", "--numeric-ids", `${rsync.url}/`, `${target}/`),
              prepare,
              target: 0.5,
            },
          ],
        } satisfies Comparison;
      }
    } finally {
      await rm(directory, { recursive: true });
    }
  },
};
