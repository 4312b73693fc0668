import { Failure } from "../../common/failure.ts";
import { findFile, readText } from "../../common/tree-file.ts";
import { moduleName } from "../initramfs.ts";
import { listFolder } from "./boot-loaders.ts";
import type { Family } from "./family.ts";

/** Many more than an image has: each of them may name an initramfs of the largest size. */
const kernelLimit = 32;

/**
 * Finds the kernels by their files. Those for rescue and for crash dumps are of no interest: they boot no server.
 * @returns releases as in /lib/modules, the newest first
 * @throws Failure `kernels-too-many`, `link-loop` (integrity)
 */
export async function findKernels(tree: string, family: Family): Promise<string[]> {
  const releases = new Set<string>();
  for (const pattern of family.kernelPaths) {
    for (const release of await matchReleases(tree, pattern)) if (!isSpecial(release)) releases.add(release);
  }
  if (releases.size > kernelLimit) {
    const message = `looking for kernels: the image has ${releases.size}, more than ${kernelLimit}`;
    throw new Failure({ code: "kernels-too-many", kind: "integrity", message });
  }
  return [...releases].sort((a, b) => b.localeCompare(a, "en", { numeric: true }));
}

/** @returns the initramfs's path inside the tree; undefined where the kernel has none */
export async function findInitramfs(tree: string, family: Family, release: string): Promise<string | undefined> {
  for (const pattern of family.initramfsPaths) {
    const path = pattern.replace("*", release);
    if ((await findFile(tree, path)) !== undefined) return path;
  }
  return undefined;
}

/** @returns the modules that a kernel has built in, and those that lie in its folder, as modprobe names them */
export async function readKernelModules(
  tree: string,
  release: string,
): Promise<{ builtIn: Set<string>; loadable: Set<string> }> {
  const read = async (name: string) => (await readText(tree, `lib/modules/${release}/${name}`)) ?? "";
  const names = (lines: string[]) => new Set(lines.flatMap((line) => moduleName(line) ?? []));
  const [builtIn, dependencies] = [await read("modules.builtin"), await read("modules.dep")];
  // modules.dep(5): a module, a colon, what it needs.
  const loadable = dependencies.split("\n").map((line) => line.split(":", 1)[0] ?? "");
  return { builtIn: names(builtIn.split("\n")), loadable: names(loadable) };
}

/** For the disk controllers of servers, as modprobe names them. */
export const hardwareDrivers = ["ahci", "megaraid_sas", "mpt3sas", "nvme"];

/** @returns those of `hardwareDrivers` that a kernel has neither built in nor as modules */
export function findMissingDrivers({ builtIn, loadable }: { builtIn: Set<string>; loadable: Set<string> }): string[] {
  return hardwareDrivers.filter((name) => !builtIn.has(name) && !loadable.has(name));
}

async function matchReleases(tree: string, pattern: string): Promise<string[]> {
  const star = pattern.indexOf("*");
  const slash = pattern.lastIndexOf("/", star);
  const start = pattern.slice(slash + 1, star);
  const releases: string[] = [];
  for (const name of await listFolder(tree, pattern.slice(0, slash))) {
    if (!name.startsWith(start)) continue;
    const release = name.slice(start.length);
    if (release !== "" && (await findFile(tree, pattern.replace("*", release))) !== undefined) releases.push(release);
  }
  return releases;
}

/** `0-rescue-MACHINE` is made by dracut-config-rescue, `RELEASE.old` by hand, `RELEASEkdump` by kexec-tools. */
function isSpecial(release: string): boolean {
  return /^0-rescue|\.old$|kdump/.test(release);
}
