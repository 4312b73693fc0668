import { type FileHandle, open } from "node:fs/promises";
import { Failure } from "../common/failure.ts";
import { run } from "../common/run.ts";
import { type Partition, type ReadAt, readPartitionTable } from "./gpt.ts";

/** Discoverable Partitions Specification: root of x86-64, root of arm64. */
const rootTypes = new Set(["4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709", "B921B045-1DF0-41C3-AF44-4C6F280D3FAE"]);

/** What packages, a kernel and an initramfs need beside what the vendor's file system has free. */
const extraRoomBytes = 3 * 2 ** 30;

/**
 * Takes the root file system out of a disk into a file of its own, checked and with room to work in.
 * Nothing is mounted: the disk is read by our own parser and by e2fsprogs.
 * @param disk a raw disk image
 * @param destination is made
 * @throws Failure `root-missing` (failed), those of `readPartitionTable`
 */
export async function extractRootFileSystem(disk: string, destination: string, signal?: AbortSignal): Promise<void> {
  const { offsetBytes, sizeBytes } = await findRootPartition(disk, signal);
  const options = signal ? { signal } : {};
  const range = [`skip=${offsetBytes}`, `count=${sizeBytes}`, "iflag=skip_bytes,count_bytes", "bs=1M"];
  const copy = [`if=${disk}`, `of=${destination}`, ...range, "conv=sparse", "status=none"];
  await run("dd", copy, { doing: "taking the root file system out of the disk", ...options });
  await run("truncate", [`--size=${sizeBytes + extraRoomBytes}`, destination], { doing: "making room", ...options });
  // e2fsck(8): 1 means that errors were corrected.
  await run("e2fsck", ["-f", "-y", destination], {
    doing: "checking the root file system",
    accept: [0, 1],
    ...options,
  });
  await run("resize2fs", [destination], { doing: "growing the root file system", ...options });
}

async function findRootPartition(disk: string, signal?: AbortSignal): Promise<Partition> {
  await using file = await open(disk);
  const { size } = await file.stat();
  const partitions = await readPartitionTable(readerOf(file), size);
  const candidates = partitions.sort((a, b) => Number(rootTypes.has(b.type)) - Number(rootTypes.has(a.type)));
  for (const partition of candidates) {
    if ((await isExt4(file, partition)) && (await hasOsRelease(disk, partition, signal))) return partition;
  }
  throw new Failure({
    code: "root-missing",
    kind: "failed",
    message: `looking for the root file system: none of ${partitions.length} partitions is ext4 with /usr/lib/os-release`,
    hint: "other file systems are not read yet: take an image with ext4",
    data: { partitions },
  });
}

function readerOf(file: FileHandle): ReadAt {
  return async (position, length) => {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(length), position });
    return buffer.subarray(0, bytesRead);
  };
}

/** The kernel's Documentation/filesystems/ext4/super.rst: at 1024 bytes, s_magic at 0x38 in it. */
async function isExt4(file: FileHandle, { offsetBytes, sizeBytes }: Partition): Promise<boolean> {
  if (sizeBytes < 4096) return false;
  const magic = await readerOf(file)(offsetBytes + 1024 + 0x38, 2);
  return magic.length === 2 && magic.readUInt16LE() === 0xef53;
}

/** debugfs(8) says on standard error that a file is missing, and exits with 0. */
async function hasOsRelease(disk: string, { offsetBytes }: Partition, signal?: AbortSignal): Promise<boolean> {
  const { stdout } = await run("debugfs", ["-R", "cat /usr/lib/os-release", `${disk}?offset=${offsetBytes}`], {
    doing: "looking for /usr/lib/os-release",
    ...(signal && { signal }),
  });
  return stdout.includes("ID=");
}
