import { appendFile, chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { formatCommand } from "../../common/run.ts";
import { bundle } from "./bundle.ts";
import { packInitramfs, type RescueSystem } from "./rescue-system.ts";

const scripts = new URL("./rescue/", import.meta.url);
const commandLine = new URL("../../cli.ts", import.meta.url);

export interface RescueCommand {
  /** Program and arguments; `metalcast` is there. */
  command: readonly string[];
  /** Files by absolute path; what starts with `#!` can be executed. */
  files?: Readonly<Record<string, string>>;
  /** Directories of the host by the absolute path they get in the rescue system, read-only. */
  shares?: Readonly<Record<string, string>>;
}

/**
 * Makes the initramfs for one start: the cached one, and over it what this start adds to the rescue root.
 *
 * @param mountShare the mount(8) arguments that bring one shared directory to the guest, but for the place
 * @param extraFiles as in RescueCommand, of the kind of server
 */
export async function buildLayer(
  system: RescueSystem,
  directory: string,
  { command, files = {}, shares = {} }: RescueCommand,
  mountShare: (hostDirectory: string, index: number) => readonly string[],
  extraFiles: Readonly<Record<string, string>> = {},
): Promise<string> {
  const tree = await mkdtemp(`${directory}/layer-`);
  const mounts = Object.entries(shares).map(([place, hostDirectory], index) =>
    [formatCommand("mkdir", ["-p", place]), formatCommand("mount", [...mountShare(hostDirectory, index), place])].join(
      "\n",
    ),
  );
  const script = (name: string) => readFile(new URL(name, scripts), "utf8");
  const layer: Record<string, string> = {
    "/usr/bin/metalcast": '#!/bin/sh\nexec /usr/bin/node /usr/lib/metalcast/metalcast.mjs "$@"\n',
    "/usr/lib/metalcast/metalcast.mjs": await bundleCommandLine(),
    "/usr/lib/lab/start": await script("start.sh"),
    "/usr/lib/lab/mounts": `${mounts.join("\n")}\n`,
    "/usr/lib/lab/command": `#!/bin/sh\nexec ${formatCommand(command[0] ?? "true", command.slice(1))}\n`,
    ...extraFiles,
    ...files,
  };
  for (const [path, content] of Object.entries(layer)) await writeTo(`${tree}/layer${path}`, content);
  await writeTo(`${tree}/init`, await script("init.sh"));

  // The kernel reads one archive after the other.
  const initramfs = `${tree}.initramfs`;
  await packInitramfs(tree, `${tree}.cpio`);
  await copyFile(system.initramfs, initramfs);
  await appendFile(initramfs, await readFile(`${tree}.cpio`));
  await rm(tree, { recursive: true });
  await rm(`${tree}.cpio`);
  return initramfs;
}

async function writeTo(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  if (content.startsWith("#!")) await chmod(path, 0o755);
}

/** `metalcast` itself. */
function bundleCommandLine(): Promise<string> {
  // Loaded by builds alone, and not made for bundles.
  return bundle({ entryPoints: [commandLine.pathname], external: ["@cyclonedx/cyclonedx-library"] });
}
