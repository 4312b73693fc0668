import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../../../common/run.ts";
import { featureArguments } from "../../../installer/storage/filesystem-features.ts";
import {
  type MkfsFeatures,
  parseBtrfsFeatures,
  parseXfsUsage,
  readMkfsFeatures,
} from "../../../installer/storage/mkfs-features.ts";

/** xfsprogs 7.2 and btrfs-progs 7.1, in part. */
const newest: MkfsFeatures = {
  xfs: parseXfsUsage(`Usage: mkfs.xfs
/* metadata */		[-m crc=0|1,finobt=0|1,uuid=xxx,rmapbt=0|1,reflink=0|1,
			    inobtcount=0|1,bigtime=0|1,autofsck=xxx,
			    metadir=0|1]
/* inode size */	[-i perblock=n|size=num,maxpct=n,attr=0|1|2,
			    projid32bit=0|1,sparse=0|1,nrext64=0|1,
			    exchange=0|1,max_atomic_write=n]
/* naming */		[-n size=num,version=2|ci,ftype=0|1,parent=0|1]]
`),
  btrfs: parseBtrfsFeatures(`Filesystem features available:
no-holes            - no explicit hole extents for files (compat=3.14, safe=4.0, default=5.15)
bgt                 - block-group-tree alias
block-group-tree    - block group tree, more efficient block group tracking to reduce mount time (compat=6.1, safe=6.6, default=6.19)
`),
};
const older: MkfsFeatures = { xfs: [], btrfs: [] };
const kernels = {
  debian12: "6.1.0-40-amd64",
  rhel8: "4.18.0-553.el8_10.x86_64",
  rhel7: "3.10.0-1160.el7.x86_64",
};

test("the names that mkfs knows are read from what it says", () => {
  expect(newest.xfs).toEqual(expect.arrayContaining(["finobt", "metadir", "exchange", "parent"]));
  expect(newest.xfs).not.toContain("uuid");
  expect(newest.btrfs).toEqual(["no-holes", "bgt", "block-group-tree"]);
});

describe("what an old kernel or a boot loader cannot read is off", () => {
  test.each([
    ["debian12", "finobt=1,reflink=1,rmapbt=0,inobtcount=1,bigtime=1", "sparse=1,nrext64=0", "metadata_csum", []],
    ["rhel8", "finobt=1,reflink=1,rmapbt=0,inobtcount=0,bigtime=0", "sparse=1,nrext64=0", "metadata_csum", []],
    [
      "rhel7",
      "finobt=0,reflink=0,rmapbt=0,inobtcount=0,bigtime=0",
      "sparse=0,nrext64=0",
      "uninit_bg",
      ["-O", "^no-holes", "-R", "^free-space-tree"],
    ],
  ] as const)("%s", (name, metadata, inode, checksums, btrfs) => {
    const made = featureArguments([kernels[name]], older);
    expect(made.xfs).toEqual(["-m", metadata, "-i", inode]);
    expect(made.ext4[1]).toMatch(new RegExp(`^none,.*,${checksums}$`));
    expect(made.btrfs).toEqual(btrfs);
  });
});

test("the oldest of several kernels decides; of one without a version nothing is known", () => {
  const { debian12, rhel8 } = kernels;
  expect(featureArguments([debian12, rhel8], older)).toEqual(featureArguments([rhel8], older));
  expect(featureArguments(["vmlinuz"], older)).toEqual(featureArguments([debian12], older));
});

test("a kernel that brought a feature has it", () => {
  const inodeCounts = (kernel: string) => featureArguments([kernel], older).xfs[1]?.includes("inobtcount=1");
  expect(["5.9.16", "5.10.0", "6.0.0"].map(inodeCounts)).toEqual([false, true, true]);
});

test("what newer versions of mkfs do by themselves is switched off where they know it", () => {
  const made = featureArguments([kernels.debian12], newest);
  expect(made.xfs.join(" ")).toMatch(/metadir=0 -i .*,exchange=0 -n parent=0$/);
  expect(made.btrfs).toEqual(["-O", "^block-group-tree"]);
});

/** On files, by the programs of the machine that the test runs on. */
describe("mkfs makes what it is told, and no more", () => {
  const doing = "making a file system";
  let directory: string;
  let known: MkfsFeatures;
  let configuration: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "features-"));
    known = await readMkfsFeatures();
    configuration = `${directory}/mke2fs.conf`;
    // As of e2fsprogs 1.47, which Debian 12 has patched.
    const features = "has_journal,extent,metadata_csum,metadata_csum_seed,orphan_file,inline_data";
    await writeFile(configuration, `[fs_types]\next4 = {\nfeatures = ${features}\ninode_size = 128\n}\n`);
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  async function make(type: "ext4" | "xfs" | "btrfs", name: keyof typeof kernels): Promise<string> {
    const file = `${directory}/${type}-${name}`;
    await writeFile(file, "");
    await truncate(file, 512 * 2 ** 20);
    const own = type === "ext4" ? ["-F"] : ["-f"];
    const args = [...own, "-q", ...featureArguments([kernels[name]], known)[type], file];
    await run(`mkfs.${type}`, args, { doing, env: { MKE2FS_CONFIG: configuration } });
    return file;
  }

  const common = "dir_index dir_nlink ext_attr extent extra_isize filetype flex_bg has_journal huge_file large_file";

  test.each([
    ["debian12", `64bit ${common} metadata_csum resize_inode sparse_super`],
    ["rhel7", `64bit ${common} resize_inode sparse_super uninit_bg`],
  ] as const)("ext4 for %s, whatever mke2fs.conf says", async (name, expected) => {
    const { stdout } = await run("dumpe2fs", ["-h", await make("ext4", name)], { doing });
    expect(/^Filesystem features: +(.*)$/m.exec(stdout)?.[1]?.split(" ").sort().join(" ")).toBe(expected);
    expect(stdout).toMatch(/^Inode size:\s+256$/m);
  });

  /** Bits: Linux, fs/xfs/libxfs/xfs_format.h. */
  test.each([
    ["debian12", ["0xd", "0xb"]],
    ["rhel8", ["0x5", "0x3"]],
    ["rhel7", ["0", "0x1"]],
  ] as const)("XFS for %s", async (name, [readOnlyCompatible, incompatible]) => {
    const show = ["-r", "-c", "sb 0", "-c", "print features_ro_compat features_incompat", await make("xfs", name)];
    const { stdout } = await run("xfs_db", show, { doing });
    expect(stdout.trim().split("\n")).toEqual([
      `features_ro_compat = ${readOnlyCompatible}`,
      `features_incompat = ${incompatible}`,
    ]);
  });

  test.each([
    ["debian12", ["FREE_SPACE_TREE", "FREE_SPACE_TREE_VALID", "EXTENDED_IREF", "NO_HOLES", "SKINNY_METADATA"]],
    ["rhel7", ["EXTENDED_IREF", "SKINNY_METADATA"]],
  ] as const)("btrfs for %s", async (name, expected) => {
    const { stdout } = await run("btrfs", ["inspect-internal", "dump-super", await make("btrfs", name)], { doing });
    const told = [...stdout.matchAll(/[( ]\s*([A-Z][A-Z_]+) [|)]/g)].map(([, flag = ""]) => flag);
    // BIG_METADATA comes by itself, from mkfs or at the first mount; kernels take it since 3.4.
    const taken = ["WRITTEN", "MIXED_BACKREF", "BIG_METADATA"];
    expect(told.filter((flag) => !taken.includes(flag)).sort()).toEqual([...expected].sort());
  });
});
