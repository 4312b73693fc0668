/** Room for the boot partitions, the config drive, file system metadata, logs and the first updates. */
const spareBytes = 2 ** 30;
const roundBytes = 2 ** 20;

/** The smallest disk that a tree of this size can be installed on. */
export function minimumDiskBytes(unpackedBytes: number): number {
  return Math.ceil((unpackedBytes * 1.25 + spareBytes) / roundBytes) * roundBytes;
}
