import { cached } from "../lab/cache.ts";
import { buildRootFileSystem } from "../lab/debian.ts";

/** What makes a Debian as large as a published image, and as varied: kernel modules, firmware, Python, libraries. */
const packages = [
  "cloud-init",
  "curl",
  "grub-efi-amd64-bin",
  "linux-image-amd64",
  "mdadm",
  "openssh-server",
  "python3",
];

const hooks = ['rm -rf "$1"/var/cache/apt/*.bin "$1"/var/lib/apt/lists/*'];

/** @returns a real root file system of about 600 MB, as a directory; built once, takes two minutes */
export function buildRootTree(): Promise<string> {
  return cached("bench-tree", { packages, hooks }, (directory) =>
    buildRootFileSystem({ release: "bookworm", directory, variant: "important", packages, hooks }),
  );
}
