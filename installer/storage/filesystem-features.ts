import { isBefore, type KernelVersion } from "./kernel-age.ts";
import type { MkfsFeatures } from "./mkfs-features.ts";

/** Arguments of mkfs that settle which features a file system has. */
export type FeatureArguments = Readonly<Record<"ext4" | "xfs" | "btrfs", readonly string[]>>;

/** What a feature needs: the first kernel that reads and writes it, or `never` where a boot loader of today cannot read it. */
type Needs = KernelVersion | "never";

/**
 * What mke2fs makes by default, but for checksums and for what e2fsprogs 1.47 added to that (its release notes):
 * metadata_csum_seed, which GRUB reads since 2.12 (grub-core/fs/ext2.c), and orphan_file, which kernels before 5.15 mount
 * and e2fsck before 1.47 refuses. `none` clears what the rescue system's mke2fs.conf says: mke2fs(8), -O. resize_inode
 * gives way by itself where a file system is too large for it.
 */
const ext4Features =
  "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize";

/** e2fsck before 1.43, such as RHEL 7's, refuses metadata_csum (e2fsprogs 1.43, release notes), and so the boot ends. */
const firstWithMetadataChecksums: KernelVersion = [3, 18];

/**
 * XFS: mkfs.xfs(8), and mkfs's own lists of what kernels take, /usr/share/xfsprogs/mkfs/lts_*.conf. GRUB refuses a bit in
 * sb_features_incompat that it does not know (grub-core/fs/xfs.c): sparse since 2.04 and in RHEL's 2.02, bigtime since 2.06,
 * nrext64 since 2.12, exchange, parent and metadir since 2.14. Of these, nrext64 is mkfs's default since xfsprogs 6.5,
 * exchange and parent since 6.18. rmapbt, since 6.5 too, is for repairs while mounted, and costs at every write.
 */
const xfsFeatures: readonly { option: "-m" | "-i" | "-n"; name: string; needs: Needs; isNew?: true }[] = [
  { option: "-m", name: "finobt", needs: [3, 16] },
  { option: "-m", name: "reflink", needs: [4, 9] },
  { option: "-m", name: "rmapbt", needs: "never" },
  { option: "-m", name: "inobtcount", needs: [5, 10] },
  { option: "-m", name: "bigtime", needs: [5, 10] },
  { option: "-m", name: "metadir", needs: "never", isNew: true },
  { option: "-i", name: "sparse", needs: [4, 2] },
  { option: "-i", name: "nrext64", needs: "never" },
  { option: "-i", name: "exchange", needs: "never", isNew: true },
  { option: "-n", name: "parent", needs: "never", isNew: true },
];

/**
 * btrfs: mkfs.btrfs(8), which says the first kernel where each is safe. block-group-tree is the default since btrfs-progs
 * 6.19, and kernels before 6.1 do not write to it; what it saves is seconds at the mount of many TiB.
 */
const btrfsFeatures: readonly { option: "-O" | "-R"; name: string; needs: Needs; isNew?: true }[] = [
  { option: "-O", name: "no-holes", needs: [4, 0] },
  // Since btrfs-progs 6.3 `-O` takes it too, and `-R` still does.
  { option: "-R", name: "free-space-tree", needs: [4, 9] },
  { option: "-O", name: "block-group-tree", needs: "never", isNew: true },
];

/**
 * Which features the target's file systems get. The result depends on the installed kernels alone: neither on the rescue
 * system's versions of mkfs, whose defaults grow, nor on its configuration. What the oldest kernel cannot take is off.
 * @param kernels of the image, as uname(1) has them
 * @param known what the rescue system's mkfs has names for: what is new can be switched off only where it is known
 */
export function featureArguments(kernels: readonly string[], known: MkfsFeatures): FeatureArguments {
  const isTaken = (needs: Needs) => needs !== "never" && !kernels.some((kernel) => isBefore(kernel, needs));
  const xfs = xfsFeatures.filter(({ name, isNew }) => !isNew || known.xfs.includes(name));
  const btrfs = btrfsFeatures.filter(({ name, isNew }) => !isNew || known.btrfs.includes(name));
  return {
    ext4: ["-O", `${ext4Features},${isTaken(firstWithMetadataChecksums) ? "metadata_csum" : "uninit_bg"}`, "-I", "256"],
    xfs: (["-m", "-i", "-n"] as const).flatMap((option) => {
      const own = xfs.filter((feature) => feature.option === option);
      const values = own.map(({ name, needs }) => `${name}=${isTaken(needs) ? 1 : 0}`);
      return values.length > 0 ? [option, values.join(",")] : [];
    }),
    // On are those that can be: all that no version leaves out.
    btrfs: btrfs.filter(({ needs }) => !isTaken(needs)).flatMap(({ option, name }) => [option, `^${name}`]),
  };
}
