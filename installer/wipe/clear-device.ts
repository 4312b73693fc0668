import type { WipeAction } from "./action.ts";
import type { StackedDevice } from "./parse-stack.ts";

const mebibyte = 2 ** 20;

/**
 * Makes a device forget what it held: zeros at both ends, then whatever signature libblkid finds elsewhere. The ends
 * hold superblocks that are damaged, and so found by no program until a new array makes sense of them: md at the start
 * (1.1, 1.2) and within the last 128 KiB (0.90, 1.0), ZFS's four labels of 256 KiB, LVM's label, both copies of a GPT.
 *
 * Neither program is forced: both open the device exclusively (open(2), O_EXCL) and so refuse one that is in use.
 *
 * @param path how commands name the device
 */
export function clearDevice(device: StackedDevice, path: string): WipeAction[] {
  const { sizeBytes } = device;
  const ends: Range[] =
    sizeBytes <= 2 * mebibyte
      ? [{ offset: 0, length: sizeBytes }]
      : [
          { offset: 0, length: mebibyte },
          { offset: sizeBytes - mebibyte, length: mebibyte },
        ];
  const inside = innerRanges(device).filter(({ offset, length }) => offset + length <= sizeBytes);
  return [
    ...[...inside, ...ends].map(({ offset, length }): WipeAction => {
      return {
        kind: "run",
        command: ["blkdiscard", "--zeroout", "--offset", `${offset}`, "--length", `${length}`, path],
      };
    }),
    { kind: "run", command: ["wipefs", "--all", "--quiet", path] },
  ];
}

/** Bytes. */
interface Range {
  offset: number;
  length: number;
}

function innerRanges({ signatures, contentOffset }: StackedDevice): Range[] {
  const isBtrfs = signatures.some(({ type }) => type === "btrfs");
  return [
    // An array that is made anew at the same place would show the old one's file system.
    ...(contentOffset === undefined ? [] : [{ offset: contentOffset, length: mebibyte }]),
    // btrfs's on-disk format: copies of its superblock lie at 64 MiB and 256 GiB.
    ...(isBtrfs ? [64 * mebibyte, 256 * 1024 * mebibyte].map((offset) => ({ offset, length: 4096 })) : []),
  ];
}
