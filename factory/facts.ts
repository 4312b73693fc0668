import { Failure } from "../common/failure.ts";
import { resolveInRoot } from "../common/rooted-path.ts";
import type { Manifest } from "../mirror/manifest.ts";
import { findPreinstalled } from "./families/asked-for.ts";
import { findBootLoaders } from "./families/boot-loaders.ts";
import { type Family, type FamilyName, findFamily } from "./families/family.ts";
import { findInitramfs, findKernels, readKernelModules } from "./families/kernels.ts";
import { readOsRelease } from "./families/os-release.ts";
import { type InitramfsContents, type InitramfsGenerator, readInitramfs } from "./initramfs.ts";
import { readPackages } from "./packages/read-packages.ts";

export type TreeFacts = Pick<Manifest, "osRelease" | "family" | "kernels" | "firmware" | "preinstalled" | "initramfs">;

/**
 * Reads off a tree what its manifest says. Nothing of the tree is run.
 * @param tree as this process sees it
 * @param expected the family that its catalog file names
 * @throws Failure `family-unknown`, `family-mismatch` (configuration), `kernel-missing`, `initramfs-missing`,
 *   `initramfs-generator-unknown`, `file-missing` (failed), `package-database-invalid`, `initramfs-invalid` (integrity)
 */
export async function readFacts(tree: string, expected?: FamilyName): Promise<TreeFacts> {
  const osRelease = await readOsRelease(tree);
  const family = requireFamily(osRelease, expected);
  const kernels = await findKernels(tree, family);
  if (kernels.length === 0) throw kernelMissing(family);
  const contents: InitramfsContents[] = [];
  // One at a time: each of them takes hundreds of megabytes of memory.
  for (const kernel of kernels) contents.push(await readKernelContents(tree, family, kernel));
  const generator = requireGenerator(contents);
  const packages = (await readPackages(tree)) ?? [];
  const loaders = await findBootLoaders(tree, family);
  return {
    osRelease,
    family: family.name,
    kernels,
    firmware: firmwareOf(loaders),
    preinstalled: findPreinstalled(new Set(packages.map(({ name }) => name)), family.packageNames, generator),
    initramfs: {
      generator,
      modules: inAll(contents.map(({ modules }) => modules)),
      programs: inAll(contents.map(({ programs }) => programs)),
    },
  };
}

/** Secure Boot starts a shim, which starts only a GRUB that its vendor signed. */
export function firmwareOf(loaders: Awaited<ReturnType<typeof findBootLoaders>>): Manifest["firmware"] {
  const { bios, uefi, shim, signedGrub } = loaders;
  return { bios, uefi, secureBoot: uefi && shim && signedGrub };
}

function requireFamily(osRelease: Record<string, string>, expected: FamilyName | undefined): Family {
  const family = findFamily(osRelease);
  const id = osRelease.ID ?? "";
  const found = osRelease.ID_LIKE ? `ID "${id}" like "${osRelease.ID_LIKE}"` : `ID "${id}"`;
  if (family === undefined) {
    throw new Failure({
      code: "family-unknown",
      kind: "configuration",
      message: `reading what the image holds: its os-release has the ${found}, of no family that is known here`,
      hint: "families are debian, redhat and suse, with what names one of theirs in ID_LIKE",
      data: { id, idLike: osRelease.ID_LIKE },
    });
  }
  if (expected === undefined || family.name === expected) return family;
  throw new Failure({
    code: "family-mismatch",
    kind: "configuration",
    message: `reading what the image holds: its os-release has the ${found}: ${family.name}, not ${expected}`,
    hint: "correct the family in the image's catalog file",
    data: { expected, found: family.name },
  });
}

function kernelMissing({ kernelPaths }: Family): Failure {
  return new Failure({
    code: "kernel-missing",
    kind: "failed",
    message: `looking for kernels: there is no /${kernelPaths.join(", no /")}`,
    hint: "add the hardware kernel's package to the image's catalog file",
  });
}

/** An initramfs need not hold what the kernel has built in. */
async function readKernelContents(tree: string, family: Family, kernel: string): Promise<InitramfsContents> {
  const path = await findInitramfs(tree, family, kernel);
  if (path === undefined) {
    const paths = family.initramfsPaths.map((pattern) => `/${pattern.replace("*", kernel)}`).join(", no ");
    const message = `looking for the initramfs of kernel ${kernel}: there is no ${paths}`;
    throw new Failure({ code: "initramfs-missing", kind: "failed", message });
  }
  const contents = await readInitramfs(await resolveInRoot(tree, path, "follow"));
  const { builtIn } = await readKernelModules(tree, kernel);
  return { ...contents, modules: new Set([...contents.modules, ...builtIn]) };
}

/** The installer builds the next one with it: all kernels must agree. */
function requireGenerator(contents: readonly InitramfsContents[]): InitramfsGenerator {
  const [generator, ...others] = new Set(contents.map((content) => content.generator));
  if (generator !== undefined && others.length === 0) return generator;
  throw new Failure({
    code: "initramfs-generator-unknown",
    kind: "failed",
    message: "reading the initramfs: neither initramfs-tools nor dracut alone has made those of all kernels",
    hint: "let the image's scripts build every initramfs with one of them",
  });
}

/** What every one of the sets has, sorted. */
function inAll([first = new Set(), ...others]: Set<string>[]): string[] {
  return [...first].filter((name) => others.every((set) => set.has(name))).sort();
}
