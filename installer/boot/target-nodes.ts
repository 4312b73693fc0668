import { readdir, realpath } from "node:fs/promises";
import { dirname, join } from "node:path";

/**
 * The device nodes behind stable paths, and every link in their own folders, below /dev/disk and in /dev/mapper that
 * leads to one of them: grub-probe looks for those by UUID.
 */
export async function nodesAndLinks(paths: readonly string[]): Promise<string[]> {
  const nodes = new Set(await Promise.all(paths.map((path) => realpath(path))));
  const directories = ["by-id", "by-uuid", "by-partuuid", "by-label"].map((name) => `/dev/disk/${name}`);
  const links = await Promise.all([...new Set([...directories, "/dev/mapper", ...paths.map(dirname)])].map(listLinks));
  const owned = await Promise.all(links.flat().map(async (link) => ((await leadsTo(link, nodes)) ? link : undefined)));
  return [...nodes, ...owned.filter((link) => link !== undefined)];
}

async function listLinks(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isSymbolicLink()).map(({ name }) => join(directory, name));
}

async function leadsTo(link: string, nodes: ReadonlySet<string>): Promise<boolean> {
  return nodes.has(await realpath(link).catch(() => ""));
}
