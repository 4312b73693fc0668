import { Failure } from "../../common/failure.ts";
import type { ImageFormat } from "../image-format.ts";
import {
  type Edges,
  findContainers,
  findDiskContents,
  findPartitionTables,
  headBytes,
  tailBytes,
} from "./signature.ts";
import { type ByteSource, readExactly, withSource } from "./source.ts";

/** The signature that a declared format must have. A raw disk has none of its own. */
function signatureOf(format: ImageFormat): string | undefined {
  if (format === "raw") return undefined;
  if (format === "qcow2") return "qcow2";
  if (format === "vmdk") return "VMDK";
  if (format.endsWith("xz")) return "xz";
  if (format.endsWith("gz")) return "gzip";
  if (format.endsWith("zst")) return "zstd";
  return "tar";
}

/**
 * Holds a declared format against the bytes, before any other program sees the file. A file that some program could
 * take for another format as well is refused: QEMU, libguestfs or mount(8) could be led to read it as that
 * (CVE-2024-32498, CVE-2024-44082). Reads the first 128 KiB and the last 512 bytes. The format's own reader checks
 * everything else.
 * @throws Failure `format-mismatch`, `format-ambiguous` (integrity), `image-unreadable` (configuration)
 */
export async function checkFormat(path: string, format: ImageFormat): Promise<void> {
  await withSource(path, async (source) => assertFormat(path, format, await readEdges(source)));
}

async function readEdges(source: ByteSource): Promise<Edges> {
  const { sizeBytes } = source;
  const tailStart = Math.max(0, sizeBytes - tailBytes);
  return {
    head: await readExactly(source, 0, Math.min(headBytes, sizeBytes), "its beginning"),
    tail: await readExactly(source, tailStart, sizeBytes - tailStart, "its end"),
  };
}

function assertFormat(path: string, format: ImageFormat, edges: Edges): void {
  const containers = findContainers(edges);
  const tables = findPartitionTables(edges);
  const expected = signatureOf(format);
  if (expected === undefined) {
    if (containers.length > 0) throw notRaw(path, containers, tables);
    if (tables.length + findDiskContents(edges).length === 0) throw mismatch(path, format, []);
    return;
  }
  // A zstd file may begin with a skippable frame (RFC 8878, 3.1.2), as pzstd's do.
  const own = containers.filter((found) => found === expected || found.startsWith(`${expected} (skippable`));
  if (own.length === 0) throw mismatch(path, format, [...containers, ...tables]);
  const others = [...containers.filter((found) => !own.includes(found)), ...(hasNoTable(format) ? tables : [])];
  if (others.length > 0) throw ambiguous(path, format, others);
}

/**
 * Whether the place of a partition table is known to hold none in a proper file: qcow2 and VMDK have header padding,
 * descriptors or tables there, tar has the header's padding and the first member. Compressed bytes are arbitrary.
 */
function hasNoTable(format: ImageFormat): boolean {
  return format === "qcow2" || format === "vmdk" || format === "ova" || format === "tar";
}

/** With a partition table it reads as a disk and as something else; without, it is just something else. */
function notRaw(path: string, containers: readonly string[], tables: readonly string[]): Failure {
  return tables.length > 0 ? ambiguous(path, "raw", containers) : mismatch(path, "raw", containers);
}

function mismatch(path: string, format: ImageFormat, found: readonly string[]): Failure {
  const looks = found.length > 0 ? found.join(" and ") : "nothing that is known";
  return new Failure({
    code: "format-mismatch",
    kind: "integrity",
    message: `checking ${path}: it is declared ${format}, its bytes are those of ${looks}`,
    hint:
      found.length > 0
        ? "declare the format that the vendor names, and look why the two differ"
        : `${format === "raw" ? "a raw disk begins with a partition table or a file system (ext4, XFS, btrfs)" : "the file is damaged, or of another format"}: get it again from its vendor`,
    data: { declared: format, found },
  });
}

function ambiguous(path: string, format: ImageFormat, found: readonly string[]): Failure {
  return new Failure({
    code: "format-ambiguous",
    kind: "integrity",
    message: `checking ${path}: it is declared ${format}, and would also be taken for ${found.join(" and ")}`,
    hint: "such files are made to be read differently by different programs: do not use it",
    data: { declared: format, found },
  });
}
