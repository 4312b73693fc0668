import { parse } from "yaml";
import { z } from "zod";
import { findFile, readText } from "../../common/tree-file.ts";
import { listFolder } from "./boot-loaders.ts";

export interface CloudInitState {
  /** Not switched off by a file or by the kernel's command line. */
  enabled: boolean;
  /** Whether it would look for a config drive. */
  configDrive: boolean;
  /** What keeps it from it. */
  reason?: string;
}

interface WrittenFile {
  /** Inside the tree. */
  path: string;
  content: string;
}

const configurationSchema = z.looseObject({ datasource_list: z.array(z.string()).optional() });
const grubFiles = ["etc/default/grub", "etc/kernel/cmdline", "etc/sysconfig/bootloader"];

/**
 * Reads what cloud-init and its ds-identify read before they choose a data source.
 * @param written a file of cloud.cfg.d that the tree will have when it boots
 * Sources: cloud-init's docs/explanation/boot.rst ("disabling"), tools/ds-identify, cloudinit/settings.py.
 */
export async function readCloudInitState(tree: string, written?: WrittenFile): Promise<CloudInitState> {
  const off = await findSwitch(tree);
  if (off !== undefined) return { enabled: false, configDrive: false, reason: off };
  const forced = await readIdentifySettings(tree);
  if (forced.get("policy")?.startsWith("disabled"))
    return { enabled: false, configDrive: false, reason: "the policy in /etc/cloud/ds-identify.cfg is disabled" };
  const source = forced.get("datasource");
  if (source !== undefined && source !== "ConfigDrive")
    return { enabled: true, configDrive: false, reason: `/etc/cloud/ds-identify.cfg allows only ${source}` };
  const { list, file } = await readDatasourceList(tree, written);
  if (list === undefined || list.includes("ConfigDrive")) return { enabled: true, configDrive: true };
  return { enabled: true, configDrive: false, reason: `datasource_list in /${file} has no ConfigDrive` };
}

async function findSwitch(tree: string): Promise<string | undefined> {
  if (await findFile(tree, "etc/cloud/cloud-init.disabled")) return "there is a file /etc/cloud/cloud-init.disabled";
  const snippets = (await listFolder(tree, "etc/default/grub.d")).map((name) => `etc/default/grub.d/${name}`);
  for (const path of [...grubFiles, ...snippets]) {
    const lines = ((await readText(tree, path)) ?? "").split("\n").filter((line) => !line.trim().startsWith("#"));
    if (lines.some((line) => /\bcloud-init=disabled\b/.test(line))) return `/${path} has cloud-init=disabled`;
  }
  return undefined;
}

/** Lines of `key: value`. */
async function readIdentifySettings(tree: string): Promise<Map<string, string>> {
  const text = (await readText(tree, "etc/cloud/ds-identify.cfg")) ?? "";
  return new Map(
    text.split("\n").flatMap((line) => {
      const [setting = ""] = line.split("#", 1);
      const colon = setting.indexOf(":");
      const [key, value] = [setting.slice(0, Math.max(colon, 0)).trim(), setting.slice(colon + 1).trim()];
      return key && value ? [[key, value]] : [];
    }),
  );
}

/**
 * The built-in list, which has ConfigDrive, is replaced by cloud.cfg's, and that by the last of cloud.cfg.d, in the order
 * of code points: `90_dpkg.cfg` comes after `90-metalcast.cfg` (cloudinit/util.py, read_conf_d).
 */
async function readDatasourceList(tree: string, written?: WrittenFile): Promise<{ list?: string[]; file?: string }> {
  const names = (await listFolder(tree, "etc/cloud/cloud.cfg.d")).filter((name) => name.endsWith(".cfg"));
  const present = names.map((name) => `etc/cloud/cloud.cfg.d/${name}`);
  const snippets = [...new Set([...present, ...(written ? [written.path] : [])])].sort();
  let found: { list?: string[]; file?: string } = {};
  for (const file of ["etc/cloud/cloud.cfg", ...snippets]) {
    const text = file === written?.path ? written.content : await readText(tree, file);
    const list = parseList(text ?? "");
    if (list !== undefined) found = { list, file };
  }
  return found;
}

/** A longer one is no configuration: parsing it takes as long as its author likes. */
const configurationLimit = 2 ** 20;

/** cloud-init passes over a file that it cannot read, too. */
function parseList(text: string): string[] | undefined {
  if (text.length > configurationLimit) return undefined;
  try {
    return configurationSchema.safeParse(parse(text)).data?.datasource_list;
  } catch {
    return undefined;
  }
}
