import { cp, mkdir, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { run } from "../../common/run.ts";
import { digestFile } from "../../factory/checksum.ts";
import { cached } from "./cache.ts";
import { buildRootFileSystem } from "./debian.ts";
import type { VendorImage } from "./vendor-image.ts";

/** GRUB reads boot entries from 2.14 on, which Debian has in forky. */
const packages = [
  "ca-certificates cloud-init cryptsetup curl dosfstools dracut e2fsprogs efibootmgr grub-efi-amd64-bin grub-pc-bin",
  "grub2-common linux-image-amd64 lvm2 mdadm network-manager openssh-server policycoreutils python3 selinux-policy-default",
  "shim-signed sudo systemd-cryptsetup systemd-sysv systemd-timesyncd xfsprogs zstd",
].flatMap((line) => line.split(" "));

const shape = fileURLToPath(new URL("el-shape.sh", import.meta.url));

/** As `VERSION_ID` of os-release: without boot entries; with `kernelopts`; as they are today. */
export type ElVersion = "7.9" | "8.10" | "9.6";

/**
 * The root file system of an EL-shaped image: Debian's packages with Red Hat's conventions (`el-shape.sh`), since Red
 * Hat's own packages need a subscription, and those of its clones another mirror.
 */
export async function buildElImage(version: ElVersion, onLine?: (line: string) => void): Promise<VendorImage> {
  const base = await cached("el-base", { packages }, (directory) =>
    buildRootFileSystem({
      ...{ release: "forky", directory, variant: "important", packages },
      // No initramfs yet (linux-base's hooks).
      env: { INITRD: "No" },
      ...(onLine && { onLine }),
    }),
  );
  const shaped = await digestFile(shape, "sha256");
  const file = await cached(`el-${version}`, { base, shaped }, async (path) => {
    const root = `${path}.root`;
    try {
      await run("cp", ["--archive", base, root], { doing: "copying a root file system" });
      await run(shape, [root, version], { doing: "giving it Red Hat's shape" });
      const keep = ["--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls"];
      await run("tar", ["--zstd", "-cf", path, "-C", root, ...keep, "."], { doing: "packing the root file system" });
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });
  return { file, format: "tar.zst", checksum: `sha512:${await digestFile(file, "sha512")}` };
}

/**
 * Metalcast's own template, but that nothing is installed: what `dnf` would install is in the image.
 * @param directory made here
 */
export async function makeElTemplate(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  await cp(fileURLToPath(new URL("../../packer", import.meta.url)), directory, { recursive: true });
  await writeFile(`${directory}/scripts/redhat/packages.sh`, "#!/bin/sh\n", { mode: 0o755 });
  return directory;
}
