import { Failure } from "../../common/failure.ts";
import { readText } from "../../common/tree-file.ts";
import type { Step } from "../step.ts";
import { writeFiles } from "../write-files.ts";
import { editBootEntry, kernelOf } from "./bls-entry.ts";
import { formatGrubEnvironment, parseGrubEnvironment } from "./grub-environment.ts";
import { replaceRoot, splitWords } from "./kernel-words.ts";
import { type BlsEntryFile, blsFolder, readBlsEntries } from "./read-bls-entries.ts";

type WriteBlsEntries = Extract<Step, { kind: "bls-entries" }>;

const commandLinePath = "/etc/kernel/cmdline";
const environmentPath = "/boot/grub2/grubenv";

/**
 * Boots the kernels of the image from the layout's root file system, and those that will be installed: the entries get
 * this server's arguments and paths; /etc/kernel/cmdline, or in RHEL 8 `kernelopts` in GRUB's environment, is where
 * kernel-install(8) takes a later kernel's arguments from.
 * @throws Failure `boot-entry-missing`, `grub-environment-full` (failed)
 */
export async function writeBlsEntries({ target, root, added, bootPath, kernels }: WriteBlsEntries): Promise<void> {
  const entries = await readBlsEntries(target);
  const environment = parseGrubEnvironment((await readText(target, environmentPath)) ?? "");
  const shared = splitWords(environment.get("kernelopts") ?? "");
  const edit = (words: readonly string[]) => {
    const all = words.includes("$kernelopts") ? [...shared, ...words] : words;
    return replaceRoot(all, root, added);
  };
  const newest = findEntry(entries, kernels[0] ?? "");
  for (const kernel of kernels) findEntry(entries, kernel);
  const commandLine = (await readText(target, commandLinePath)) ?? optionsOf(newest.content);
  await writeFiles(target, [
    ...entries.map(({ path, mode, content }) => ({
      path,
      mode,
      content: editBootEntry(content, { options: edit, bootPath }),
    })),
    { path: commandLinePath, mode: 0o644, content: `${edit(splitWords(commandLine)).join(" ")}\n` },
    ...environmentFile(environment, edit),
  ]);
}

function findEntry(entries: readonly BlsEntryFile[], kernel: string): BlsEntryFile {
  const found = entries.find(({ content }) => kernelOf(content) === `vmlinuz-${kernel}`);
  if (found) return found;
  throw new Failure({
    code: "boot-entry-missing",
    kind: "failed",
    message: `writing boot entries: the image has the kernel ${kernel}, and none in ${blsFolder} boots it`,
    hint: "install the kernel by its package when the image is built: kernel-install(8) makes the entry",
    data: { entries: entries.map(({ path }) => path) },
  });
}

function optionsOf(entry: string): string {
  return [...entry.matchAll(/^\s*options\s+(.*)$/gm)].map(([, words]) => words).join(" ");
}

/**
 * A regular file where GRUB looks for it. RHEL 8 has a link to the ESP for UEFI, whose own menu is only a stub here.
 */
function environmentFile(given: ReadonlyMap<string, string>, edit: (words: readonly string[]) => string[]) {
  const options = given.get("kernelopts");
  const edited: [string, string][] = options === undefined ? [] : [["kernelopts", edit(splitWords(options)).join(" ")]];
  const content = formatGrubEnvironment(new Map([...given, ...edited]));
  if (content !== undefined) return [{ path: environmentPath, mode: 0o600, content }];
  throw new Failure({
    code: "grub-environment-full",
    kind: "failed",
    message: `writing ${environmentPath}: the kernel's arguments have no room in it`,
    hint: "shorten kernelArguments in the job",
  });
}
