import { join } from "node:path";
import { z } from "zod";
import { run } from "../../../common/run.ts";
import { networkSchema } from "../../../installer/config-drive/network.ts";
import { networkConfigFiles } from "../../../installer/config-drive/network-config.ts";
import { networkData } from "../../../installer/config-drive/network-data.ts";

const files = z.record(z.string(), z.string());
export const renderedSchema = z.object({ netplan: files, eni: files, sysconfig: files, networkManager: files });
export type Rendered = z.infer<typeof renderedSchema>;

/** Runs a script of this folder with the Python that cloud-init is installed for. @returns what it printed, parsed */
export async function runPython(script: string, args: readonly string[], input = ""): Promise<unknown> {
  const { stdout } = await run("/usr/bin/python3", [join(import.meta.dirname, script), ...args], {
    doing: "asking cloud-init",
    input,
    env: { PYTHONDONTWRITEBYTECODE: "1" },
  });
  return JSON.parse(stdout);
}

/**
 * What cloud-init makes of networks as jobs give them, each by the way that it goes: the config drive, or with bridges
 * a file of the target. The kernel calls the first interface of a network eth0, and so on.
 */
export async function renderNetworks(networks: readonly z.input<typeof networkSchema>[]): Promise<Rendered[]> {
  const input = networks.map((value) => {
    const network = networkSchema.parse(value);
    const macs = Object.values(network.ethernets).map(({ mac }, index) => [mac, `eth${index}`]);
    const [file] = networkConfigFiles(network);
    return file ? { config: file.content } : { data: networkData(network), macs: Object.fromEntries(macs) };
  });
  return z.array(renderedSchema).parse(await runPython("render-networks.py", [], JSON.stringify(input)));
}
