import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../../common/run.ts";
import type { BootedServer } from "../../lab/qemu.ts";
import { startMisbehavingServer } from "../../mirror/misbehaving-server.ts";
import { serveDirectory } from "../../mirror/serve-directory.ts";

/** The kernel's packages and those of GRUB and shim. */
const packages = ["linux-image-*-amd64", "grub-*", "shim-*"];

/**
 * Installs the booted server's kernel and boot loaders once more, by its own package manager, from files that this
 * machine downloads. Before, the boot code of all its disks is destroyed: what boots afterwards was written anew.
 */
export async function reinstallBootLoaders(booted: BootedServer, keyFile: string): Promise<void> {
  const ask = async (command: string) => (await booted.ssh("debian", keyFile, command)).stdout;
  const listed = await ask(`dpkg-query --list ${packages.map((name) => `'${name}'`).join(" ")}`);
  const installed = [...listed.matchAll(/^ii +([^\s:]+)\S* +(\S+)/gm)].map(([, name, version]) => `${name}=${version}`);
  const directory = await mkdtemp(join(tmpdir(), "packages-"));
  try {
    await run("apt-get", ["download", ...installed], { doing: "downloading packages", cwd: directory });
    await using server = await startMisbehavingServer(serveDirectory(directory));
    const from = server.url.replace("127.0.0.1", "10.0.2.2");
    const files = await readdir(directory);
    await ask(
      `mkdir packages; cd packages; ${files.map((file) => `curl -fsSO ${from}/${encodeURI(file)}`).join(" && ")}`,
    );
    await ask(
      "for disk in $(ls /dev/sd?1 | tr -d 1); do sudo dd if=/dev/zero of=$disk bs=440 count=1 conv=notrunc,fsync; done",
    );
    await ask("sudo DEBIAN_FRONTEND=noninteractive apt-get install --yes --reinstall ./packages/*.deb");
  } finally {
    await rm(directory, { recursive: true });
  }
}
