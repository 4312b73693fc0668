import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { promisify } from "node:util";
import { gunzip, zstdDecompress } from "node:zlib";
import { Failure } from "../common/failure.ts";
import { type CpioMember, isCpio, readCpio } from "./cpio.ts";

/** What a kernel finds before it has mounted anything. */
export interface InitramfsContents {
  /** As modprobe names them. */
  modules: Set<string>;
  programs: Set<string>;
}

/** Several times what an initramfs with every driver has. */
const defaultLimitBytes = 2 ** 29;
const fileTypeMask = 0o170000;
const regularFile = 0o100000;

/**
 * Reads an initramfs: archives one after another, the uncompressed ones (microcode) first, the last one compressed.
 * @param limitBytes what the compressed part may decompress to
 * @throws Failure `initramfs-invalid` (integrity), `initramfs-compression-unknown` (failed)
 */
export async function readInitramfs(path: string, limitBytes = defaultLimitBytes): Promise<InitramfsContents> {
  const bytes = await readFile(path);
  const members: CpioMember[] = [];
  let offset = 0;
  while (isCpio(bytes, offset)) {
    const archive = readCpio(bytes, offset);
    members.push(...archive.members);
    offset = archive.endOffset;
  }
  if (offset < bytes.length)
    members.push(...readCpio(await decompress(bytes.subarray(offset), path, limitBytes)).members);
  const files = members.filter(({ mode }) => (mode & fileTypeMask) === regularFile);
  return {
    modules: new Set(files.flatMap(({ name }) => moduleName(name) ?? [])),
    programs: new Set(files.filter(isProgram).map(({ name }) => basename(name))),
  };
}

/** One of BusyBox's many names is a link, and stands for less than the real program. */
function isProgram({ name, links }: CpioMember): boolean {
  return links === 1 && /(?:^|\/)s?bin\/[^/]+$/.test(name);
}

/** @returns undefined for a path that is no kernel module */
export function moduleName(path: string): string | undefined {
  return /([^/]+)\.ko(?:\.(?:xz|zst|gz))?$/.exec(path)?.[1]?.replaceAll("-", "_");
}

async function decompress(bytes: Buffer, path: string, limitBytes: number): Promise<Buffer> {
  // Large chunks decompress four times faster than those of Node's default.
  const options = { maxOutputLength: limitBytes, chunkSize: 2 ** 20 };
  const magic = bytes.toString("hex", 0, 4);
  try {
    if (magic === "28b52ffd") return await promisify(zstdDecompress)(bytes, options);
    if (magic.startsWith("1f8b")) return await promisify(gunzip)(bytes, options);
  } catch (error) {
    const message = `reading ${basename(path)}: its compressed part is damaged, or too large`;
    throw new Failure({ code: "initramfs-invalid", kind: "integrity", message, cause: error });
  }
  throw new Failure({
    code: "initramfs-compression-unknown",
    kind: "failed",
    message: `reading ${basename(path)}: its compressed part begins with ${magic}`,
    hint: "let the image compress its initramfs with zstd or gzip",
  });
}
