import { dataSourceSetting } from "../common/data-source-setting.ts";
import { findFile } from "../common/tree-file.ts";
import type { TreeFacts } from "./facts.ts";
import { readCloudInitState } from "./families/cloud-init.ts";
import { findMissingDrivers, hardwareDrivers, readKernelModules } from "./families/kernels.ts";

export interface MetalFitness {
  /** What keeps a server from booting it or from being configured, and the installer does not mend. */
  defects: string[];
  /** What may. */
  doubts: string[];
}

/**
 * Judges an image that is to be installed as it is. Which packages the job needs is for the plan to say.
 * @param tree as this process sees it
 * @param facts what `readFacts` found in it: one kernel at least
 */
export async function judgeMetalFitness(
  tree: string,
  facts: Pick<TreeFacts, "kernels" | "preinstalled">,
): Promise<MetalFitness> {
  const drivers = await judgeDrivers(tree, facts.kernels);
  const sshServer = await findFile(tree, "usr/sbin/sshd");
  return {
    defects: [...drivers.defects, ...(facts.preinstalled.includes("cloud-init") ? await judgeCloudInit(tree) : [])],
    doubts: [...drivers.doubts, ...(sshServer === undefined ? ["it has no sshd: nobody can log in by SSH"] : [])],
  };
}

/**
 * A cloud's kernel may have the one driver that the server needs, and which kernel is booted is for GRUB's settings to
 * say: only where no kernel has any driver is it sure that none boots. One without lists of its modules may have
 * them built in.
 */
async function judgeDrivers(tree: string, kernels: readonly string[]): Promise<MetalFitness> {
  const doubts: string[] = [];
  let hopeless = 0;
  for (const release of kernels) {
    const modules = await readKernelModules(tree, release);
    const missing = findMissingDrivers(modules);
    const known = modules.builtIn.size + modules.loadable.size > 0;
    if (known && missing.length === hardwareDrivers.length) hopeless += 1;
    if (!known) doubts.push(`which drivers its kernel ${release} has cannot be told: it lists no modules`);
    else if (missing.length > 0)
      doubts.push(`its kernel ${release} lacks drivers for servers' disks: ${missing.join(", ")}`);
  }
  if (hopeless < kernels.length) return { defects: [], doubts };
  const releases = kernels.join(", ");
  return {
    defects: [`no kernel (${releases}) has a driver for servers' disks (${hardwareDrivers.join(", ")})`],
    doubts: [],
  };
}

/** Without its config drive a server boots, and nobody can log in. */
async function judgeCloudInit(tree: string): Promise<string[]> {
  const { configDrive, reason } = await readCloudInitState(tree, dataSourceSetting);
  return configDrive ? [] : [`its cloud-init would not read the config drive: ${reason}`];
}
