import { type RunOptions, type RunResult, run } from "../common/run.ts";

/** Where plugins stay, once they are downloaded. */
const pluginFolder = "/var/cache/metalcast/packer-plugins";

/** How a download leaves this machine; nothing else of our environment is passed on. */
const proxyVariables = ["HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy"];

type Start = (program: string, args: readonly string[], options: RunOptions) => Promise<RunResult>;

/**
 * Has Packer download what plugins it lacks, where its version has plugins at all; it asks nobody for those that are
 * there.
 * @param folder with the one template that names them
 * @returns the variables by which Packer finds them
 * @throws Failure `programs-missing` (configuration), `command-failed` (failed), `interrupted`
 */
export async function installPlugins(
  folder: string,
  { signal, start = run }: { signal?: AbortSignal; start?: Start } = {},
): Promise<Record<string, string>> {
  const interruptible = signal ? { signal } : {};
  const env = { PACKER_PLUGIN_PATH: pluginFolder, CHECKPOINT_DISABLE: "1" };
  const version = await start("packer", ["version"], { doing: "asking Packer for its version", env, ...interruptible });
  if (!hasPlugins(version.stdout)) return {};
  const proxies = proxyVariables.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : []));
  await start("packer", ["init", folder], {
    doing: "installing Packer's plugins",
    env: { ...env, ...Object.fromEntries(proxies) },
    ...interruptible,
  });
  return { PACKER_PLUGIN_PATH: pluginFolder };
}

/** `packer init` came with 1.7.0 (its CHANGELOG). @param text `Packer v1.6.6` and what follows */
function hasPlugins(text: string): boolean {
  const [, major = "0", minor = "0"] = /^Packer v(\d+)\.(\d+)\./m.exec(text) ?? [];
  return Number(major) > 1 || Number(minor) >= 7;
}
