import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { compile } from "./compile.ts";
import type { Bench } from "./measure.ts";
import { buildRootTree } from "./root-tree.ts";

/** Seconds since 1970, for both sides: later than any file of the tree. */
export const latestTime = 1_900_000_000;

/** What factory/pack.ts asks of tar, for one archive in one piece. */
const tarOptions = [
  "--sort=name --format=posix --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime --numeric-owner",
  `--xattrs --xattrs-include=* --acls --selinux --sparse --hole-detection=raw --mtime=@${latestTime} --clamp-mtime`,
].flatMap((line) => line.split(" "));

export const packBench: Bench = {
  async *compare() {
    const tree = await buildRootTree();
    const directory = await mkdtemp("/var/tmp/bench-pack-");
    const archive = join(directory, "image.tar.zst");
    const prepare = () => rm(archive, { force: true });
    const script = 'archive=$1 tree=$2; shift 2; tar -C "$tree" -cf - "$@" . | zstd -q -3 -T0 -o "$archive"';
    try {
      yield {
        title: "pack a root file system",
        ours: {
          name: "metalcast",
          command: [process.execPath, await compile("pack-ours", directory), tree, archive, String(latestTime)],
          prepare,
        },
        peers: [
          {
            name: "tar | zstd -3 -T0",
            command: ["bash", "-o", "pipefail", "-c", script, "bash", archive, tree, ...tarOptions],
            prepare,
          },
        ],
      };
    } finally {
      await rm(directory, { recursive: true });
    }
  },
};
