import { readdir, readFile, realpath } from "node:fs/promises";
import { basename } from "node:path";
import { z } from "zod";
import { run } from "../common/run.ts";

/** A network card's interface; none of a bond, a bridge, a VLAN or another that is made of software. */
export interface NetworkInterface {
  /** Kernel name, which changes between boots: eno1. For people only. */
  name: string;
  /** The card's own address, in lower case: a bond lends its members another. */
  mac: string;
  /** Kernel module. Empty: unknown. */
  driver: string;
  /** Undefined where the interface is down, which keeps it from knowing. */
  hasCarrier: boolean | undefined;
}

const directory = "/sys/class/net";
/** ARPHRD_ETHER of Linux's uapi/linux/if_arp.h. */
const ethernet = "1";
/** NET_ADDR_SET of Linux's uapi/linux/netdevice.h: somebody has replaced the address that the card came up with. */
const replaced = "3";

/** Looks at the network cards and changes nothing. The order is that of their names. */
export async function listNetworkInterfaces(signal?: AbortSignal): Promise<NetworkInterface[]> {
  const names = (await readdir(directory).catch(() => [])).sort();
  const found = await Promise.all(names.map((name) => readInterface(name, signal)));
  return found.filter((one) => one !== undefined);
}

async function readInterface(name: string, signal: AbortSignal | undefined): Promise<NetworkInterface | undefined> {
  // Linux, Documentation/ABI/testing/sysfs-class-net. `carrier` of an interface that is down is EINVAL.
  const read = async (file: string) => (await readFile(`${directory}/${name}/${file}`, "utf8").catch(() => "")).trim();
  const device = await realpath(`${directory}/${name}/device`).catch(() => undefined);
  if (device === undefined || (await read("type")) !== ethernet) return undefined;
  const driver = await realpath(`${device}/driver`).catch(() => "");
  const carrier = await read("carrier");
  const own = (await read("addr_assign_type")) === replaced ? await readPermanentMac(name, signal) : undefined;
  return {
    name,
    mac: own ?? (await read("address")),
    driver: basename(driver),
    hasCarrier: carrier === "" ? undefined : carrier === "1",
  };
}

const linksSchema = z.tuple([z.object({ permaddr: z.string().optional() })]);

/** ip-link(8) tells it where it differs. Not every `ip` writes JSON: what can't be asked is taken to be as it shows. */
async function readPermanentMac(name: string, signal: AbortSignal | undefined): Promise<string | undefined> {
  try {
    const { stdout } = await run("ip", ["-json", "-details", "link", "show", "dev", name], {
      doing: `asking for the own address of ${name}`,
      ...(signal && { signal }),
    });
    return linksSchema.parse(JSON.parse(stdout))[0].permaddr;
  } catch {
    signal?.throwIfAborted();
    return undefined;
  }
}
