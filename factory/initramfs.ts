import { lstat, readFile } from "node:fs/promises";
import { basename } from "node:path";
import { type CpioArchive, type CpioMember, isCpio, memberLimit, readCpio } from "./cpio.ts";
import { decompressInitramfs, initramfsInvalid } from "./decompress-initramfs.ts";

export type InitramfsGenerator = "initramfs-tools" | "dracut";

/** What a kernel finds before it has mounted anything. */
export interface InitramfsContents {
  /** As modprobe names them. */
  modules: Set<string>;
  programs: Set<string>;
  /** What made it, by the files it left in there. */
  generator: InitramfsGenerator | undefined;
}

/** Several times what an initramfs with every driver has. */
const defaultLimitBytes = 2 ** 29;
const fileTypeMask = 0o170000;
const regularFile = 0o100000;

/**
 * Reads an initramfs: archives one after another, the uncompressed ones (microcode) first, the last one compressed.
 * @param limitBytes what the file may have, and what its compressed part may decompress to
 * @throws Failure `initramfs-invalid` (integrity), `initramfs-compression-unknown` (failed), `programs-missing`
 */
export async function readInitramfs(path: string, limitBytes = defaultLimitBytes): Promise<InitramfsContents> {
  if ((await lstat(path)).size > limitBytes) throw initramfsInvalid(path, `it has more than ${limitBytes} bytes`);
  const bytes = await readFile(path);
  let members: CpioMember[] = [];
  // As many in all archives together as in a single one.
  const add = (archive: CpioArchive): void => {
    members = members.concat(archive.members);
    if (members.length > memberLimit) throw initramfsInvalid(path, `it has more than ${memberLimit} members`);
  };
  let offset = 0;
  while (isCpio(bytes, offset)) {
    const archive = readCpio(bytes, offset);
    add(archive);
    offset = archive.endOffset;
  }
  if (offset < bytes.length) add(readCpio(await decompressInitramfs(bytes.subarray(offset), path, limitBytes)));
  const files = members.filter(({ mode }) => (mode & fileTypeMask) === regularFile);
  return {
    modules: new Set(files.flatMap(({ name }) => moduleName(name) ?? [])),
    programs: new Set(files.filter(isProgram).map(({ name }) => basename(name))),
    generator: findGenerator(files),
  };
}

/** initramfs-tools' settings, and dracut's own library or its record of how it was called. */
function findGenerator(files: readonly CpioMember[]): InitramfsGenerator | undefined {
  const has = (pattern: RegExp) => files.some(({ name }) => pattern.test(name));
  if (has(/^(?:\.\/)?conf\/initramfs\.conf$/)) return "initramfs-tools";
  return has(/^(?:\.\/)?(?:usr\/)?lib\/dracut(?:\/|-)/) ? "dracut" : undefined;
}

/**
 * One of BusyBox's many names is a link, and stands for less than the real program. With systemd in it, dracut takes
 * systemd's program in place of cryptsetup.
 */
function isProgram({ name, links }: CpioMember): boolean {
  return links === 1 && /(?:^|\/)(?:s?bin\/[^/]+|lib\/systemd\/systemd-cryptsetup)$/.test(name);
}

/** @returns undefined for a path that is no kernel module */
export function moduleName(path: string): string | undefined {
  // From its last component on: a pattern that is free to start anywhere takes long for a long path.
  const name = path.slice(path.lastIndexOf("/") + 1);
  return /^(.+)\.ko(?:\.(?:xz|zst|gz))?$/.exec(name)?.[1]?.replaceAll("-", "_");
}
