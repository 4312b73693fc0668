import { basename } from "node:path";
import { Failure } from "../../common/failure.ts";
import { readText } from "../../common/tree-file.ts";
import { splitWords } from "./kernel-words.ts";
import { readBlsEntries } from "./read-bls-entries.ts";

/** What a boot loader hands over to: files in /boot of the target, and the kernel's command line. */
export interface BootCommand {
  kernel: string;
  initramfs: string;
  commandLine: string;
}

/**
 * How the target's own boot loader would start a kernel: by its boot entry, or by GRUB's menu.
 * @param release of the kernel, as in /lib/modules
 * @throws Failure `boot-command-unknown` (failed)
 */
export async function readBootCommand(target: string, release: string): Promise<BootCommand> {
  const entries = await readBlsEntries(target);
  const texts = [...entries.map(({ content }) => content), ...(await readMenus(target))];
  for (const text of texts) {
    const found = findBootCommand(text, `vmlinuz-${release}`);
    if (found) return found;
  }
  throw new Failure({
    code: "boot-command-unknown",
    kind: "failed",
    message: `looking how ${release} is booted: neither a boot entry nor GRUB's menu has it`,
  });
}

async function readMenus(target: string): Promise<string[]> {
  const paths = ["/boot/grub/grub.cfg", "/boot/grub2/grub.cfg"];
  const texts = await Promise.all(paths.map((path) => readText(target, path)));
  return texts.filter((text) => text !== undefined);
}

/**
 * Of a boot entry (its arguments are in `options`), or of the first entry of a menu that boots this kernel.
 * @returns undefined where there is none, or it needs more than one initramfs, which kexec(8) does not take
 */
export function findBootCommand(text: string, kernel: string): BootCommand | undefined {
  const lines = text.split("\n").map(splitWords);
  const start = lines.findIndex(([key = "", path = ""]) => isLinux(key) && basename(path) === kernel);
  if (start < 0) return undefined;
  const isMenu = lines.every(([key]) => key !== "options");
  const end = isMenu ? lines.findIndex(([key], index) => index > start && key === "}") : lines.length;
  const own = isMenu ? lines.slice(start, end < 0 ? lines.length : end) : lines;
  const words = (wanted: RegExp) => own.flatMap(([key = "", ...rest]) => (wanted.test(key) ? rest : []));
  const isLiteral = (word: string) => !word.startsWith("$");
  const initramfs = words(/^initrd(?:16|efi)?$/)
    .filter(isLiteral)
    .map((path) => basename(path));
  const options = isMenu ? (lines[start] ?? []).slice(2) : words(/^options$/);
  const [first, ...more] = initramfs;
  if (first === undefined || more.length > 0) return undefined;
  return { kernel, initramfs: first, commandLine: options.filter(isLiteral).join(" ") };
}

function isLinux(key: string): boolean {
  return /^linux(?:16|efi)?$/.test(key);
}
