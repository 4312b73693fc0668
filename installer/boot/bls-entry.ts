import { splitWords } from "./kernel-words.ts";

/**
 * A boot entry of the Boot Loader Specification, type 1, as Fedora and Red Hat write it
 * (https://uapi-group.org/specifications/specs/boot_loader_specification/): a key and its value in each line.
 */
export interface BootEntryEdit {
  /** New kernel arguments, from those that the entry has. */
  options: (words: readonly string[]) => readonly string[];
  /** Where the boot loader finds /boot in the file system that it is on: empty where that is one of its own. */
  bootPath: string;
}

/** Lines that are not about the kernel, its initramfs and its arguments stay as they are. */
export function editBootEntry(text: string, { options, bootPath }: BootEntryEdit): string {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const given = lines.flatMap((line) => (keyOf(line) === "options" ? splitWords(restOf(line)) : []));
  const edited = lines.flatMap((line) => {
    const key = keyOf(line);
    if (key === "options") return [];
    if (key !== "linux" && key !== "initrd") return line;
    return `${key} ${restOf(line)
      .split(/\s+/)
      .map((path) => movePath(path, bootPath))
      .join(" ")}`;
  });
  return `${[...edited, `options ${options(given).join(" ")}`].join("\n")}\n`;
}

/** @returns the file name of the kernel that an entry boots; undefined where it names none */
export function kernelOf(text: string): string | undefined {
  const line = text.split("\n").find((candidate) => keyOf(candidate) === "linux");
  return line === undefined ? undefined : restOf(line).split("/").at(-1);
}

function keyOf(line: string): string {
  return /^\s*(\S*)/.exec(line)?.[1] ?? "";
}

function restOf(line: string): string {
  return line.trim().replace(/^\S+\s*/, "");
}

/** `$tuned_initrd` and the like are no paths. */
function movePath(path: string, bootPath: string): string {
  return path.startsWith("/") ? `${bootPath}${path.replace(/^\/boot(?=\/)/, "")}` : path;
}
