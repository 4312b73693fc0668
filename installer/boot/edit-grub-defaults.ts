import { Failure } from "../../common/failure.ts";
import { resolveInRoot } from "../../common/rooted-path.ts";
import { readText } from "../../common/tree-file.ts";
import type { Step } from "../step.ts";
import { writeFiles } from "../write-files.ts";
import { replaceRoot, splitWords } from "./kernel-words.ts";
import { assignedName, type ShellVariables, setVariables } from "./shell-variables.ts";

const path = "/etc/default/grub";

/**
 * Where no files are read beside /etc/default/grub, that one is edited. A link stays a link: Red Hat has one of
 * /etc/sysconfig too.
 * @throws Failure `grub-defaults-unreadable` (failed)
 */
export async function writeGrubDefaults(step: Extract<Step, { kind: "grub-defaults" }>): Promise<void> {
  const { target, settings, added } = step;
  const content = editGrubDefaults((await readText(target, path)) ?? "", settings, added);
  const place = await resolveInRoot(target, path, "follow");
  await writeFiles(target, [{ path: place.slice(target.length), mode: 0o644, content }]);
}

/**
 * The kernel's arguments as one literal value, since package managers' own programs (grubby, for one) look for a line of
 * that form. `grub-mkconfig` says where the root file system is by itself; what the vendor said of it goes, and so do the
 * vendor's consoles that would come after ours.
 * @param settings replace those of the same name
 * @param added kernel arguments
 */
export function editGrubDefaults(text: string, settings: ShellVariables, added: readonly string[]): string {
  const common = splitWords(readValue(text, "GRUB_CMDLINE_LINUX"));
  const usual = replaceRoot(splitWords(readValue(text, "GRUB_CMDLINE_LINUX_DEFAULT")), [], []);
  const consoles = usual.filter((word) => word.startsWith("console="));
  const edited: Record<string, string> = {
    ...settings,
    GRUB_CMDLINE_LINUX: replaceRoot([...common, ...consoles], [], added).join(" "),
    ...(usual.length > 0 && {
      GRUB_CMDLINE_LINUX_DEFAULT: usual.filter((word) => !consoles.includes(word)).join(" "),
    }),
  };
  return setVariables(text, edited);
}

/** A shell reads the file: the last assignment counts. */
function readValue(text: string, name: string): string {
  const line = text.split("\n").findLast((candidate) => assignedName(candidate) === name);
  const value = line?.slice(line.indexOf("=") + 1).trim() ?? "";
  const [, single, double, bare] =
    /^(?:'([^']*)'|"((?:[^"\\$`]|\\.)*)"|([^\s"'\\$`;&|<>()#]*))\s*(?:#.*)?$/.exec(value) ?? [];
  const literal = single ?? double?.replace(/\\([\\"$`])/g, "$1") ?? bare;
  if (literal !== undefined) return literal;
  throw new Failure({
    code: "grub-defaults-unreadable",
    kind: "failed",
    message: `reading ${path}: ${name} is not a plain text: ${value}`,
    hint: "build the image with a literal value there",
  });
}
