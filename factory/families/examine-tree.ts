import { Failure } from "../../common/failure.ts";
import { resolveInRoot } from "../../common/rooted-path.ts";
import { findFile, readText } from "../../common/tree-file.ts";
import type { Manifest } from "../../mirror/manifest.ts";
import { firmwareOf } from "../facts.ts";
import { type InitramfsContents, readInitramfs } from "../initramfs.ts";
import type { InstalledPackage } from "../packages/installed-package.ts";
import { readPackages } from "../packages/read-packages.ts";
import { type AskedFor, findPreinstalled } from "./asked-for.ts";
import { findBootLoaders } from "./boot-loaders.ts";
import { type CloudInitState, readCloudInitState } from "./cloud-init.ts";
import { type Family, type FamilyName, findFamily } from "./family.ts";
import { findInitramfs, findKernels, findMissingDrivers, hardwareDrivers, readKernelModules } from "./kernels.ts";
import { readOsRelease } from "./os-release.ts";

export interface KernelExamination {
  release: string;
  /** Drivers for the disk controllers of servers that it has neither built in nor as modules. */
  missingDrivers: string[];
  hasHardwareDrivers: boolean;
  /** Its modules with what the kernel has built in. Undefined where it has none, or one that `problems` tells of. */
  initramfs: ({ path: string } & InitramfsContents) | undefined;
}

/** What an image is, for `metalcast inspect`: what is missing is a finding and no failure. */
export interface TreeExamination {
  osRelease: Record<string, string> | undefined;
  family: FamilyName | undefined;
  packageManager: string | undefined;
  /** Undefined where there is no package database that can be read. */
  packageCount: number | undefined;
  /** Newest first. */
  kernels: KernelExamination[];
  firmware: Manifest["firmware"] & { shim: boolean };
  /** What a job can ask for and the image has. */
  preinstalled: AskedFor[];
  cloudInit: ({ version: string } & CloudInitState) | undefined;
  selinux: "enforcing" | "permissive" | "disabled" | undefined;
  /** Red Hat's own packages come with a subscription. */
  license: Manifest["license"];
  sshServer: boolean;
  /** What could not be read, and why. */
  problems: Failure[];
}

/**
 * Reads what a tree holds as far as it can be read. Nothing of the tree is run.
 * @param tree as this process sees it
 */
export async function examineTree(tree: string): Promise<TreeExamination> {
  const problems: Failure[] = [];
  const attempt = async <Result>(read: () => Promise<Result>): Promise<Result | undefined> => {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      problems.push(error);
      return undefined;
    }
  };
  const osRelease = await attempt(() => readOsRelease(tree));
  const family = osRelease && findFamily(osRelease);
  const packages = await attempt(() => readPackages(tree));
  const kernels = family ? await examineKernels(tree, family, attempt) : [];
  const loaders = family && (await attempt(() => findBootLoaders(tree, family)));
  const installed = new Set(packages?.map(({ name }) => name));
  const names = family?.packageNames ?? {};
  const cloudInit = await attempt(() => examineCloudInit(tree, packages ?? []));
  return {
    osRelease,
    family: family?.name,
    packageManager: family && (await attempt(() => findPackageManager(tree, family))),
    packageCount: packages?.length,
    kernels,
    firmware: loaders
      ? { ...firmwareOf(loaders), shim: loaders.shim }
      : { bios: false, uefi: false, secureBoot: false, shim: false },
    preinstalled: findPreinstalled(installed, names, kernels[0]?.initramfs?.generator),
    cloudInit,
    selinux: await attempt(() => readSelinuxMode(tree)),
    license: osRelease?.ID === "rhel" ? "rhsm" : "none",
    sshServer: (await attempt(() => findFile(tree, "usr/sbin/sshd"))) !== undefined,
    problems,
  };
}

type Attempt = <Result>(read: () => Promise<Result>) => Promise<Result | undefined>;

async function examineKernels(tree: string, family: Family, attempt: Attempt): Promise<KernelExamination[]> {
  const kernels: KernelExamination[] = [];
  for (const release of (await attempt(() => findKernels(tree, family))) ?? []) {
    const modules = await attempt(() => readKernelModules(tree, release));
    const missingDrivers = modules ? findMissingDrivers(modules) : hardwareDrivers;
    const path = await attempt(() => findInitramfs(tree, family, release));
    const contents =
      path === undefined
        ? undefined
        : await attempt(async () => readInitramfs(await resolveInRoot(tree, path, "follow")));
    // As in a manifest: an initramfs need not hold what the kernel has built in.
    const initramfs =
      path === undefined || contents === undefined
        ? undefined
        : { path: `/${path}`, ...contents, modules: new Set([...contents.modules, ...(modules?.builtIn ?? [])]) };
    kernels.push({ release, missingDrivers, hasHardwareDrivers: missingDrivers.length === 0, initramfs });
  }
  return kernels;
}

async function findPackageManager(tree: string, family: Family): Promise<string | undefined> {
  for (const program of family.packageManagers) {
    if ((await findFile(tree, `usr/bin/${program}`)) !== undefined) return program;
  }
  return undefined;
}

async function examineCloudInit(
  tree: string,
  packages: readonly InstalledPackage[],
): Promise<TreeExamination["cloudInit"]> {
  const found = packages.find(({ name }) => name === "cloud-init" || name === "cloud-init-base");
  return found && { version: found.version, ...(await readCloudInitState(tree)) };
}

async function readSelinuxMode(tree: string): Promise<TreeExamination["selinux"]> {
  const mode = /^[ \t]*SELINUX=[ \t]*(enforcing|permissive|disabled)[ \t\r]*$/m.exec(
    (await readText(tree, "etc/selinux/config")) ?? "",
  )?.[1];
  return mode === "enforcing" || mode === "permissive" || mode === "disabled" ? mode : undefined;
}
