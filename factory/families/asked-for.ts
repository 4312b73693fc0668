/** What a job can need of an image, by the names in `manifest.preinstalled`, which are those of Debian's packages. */
const askedFor = [
  "btrfs-progs",
  "cloud-init",
  "cryptsetup",
  "cryptsetup-initramfs",
  "curl",
  "dosfstools",
  "e2fsprogs",
  "efibootmgr",
  "lvm2",
  "mdadm",
  "openssh-server",
  "shim-signed",
  "xfsprogs",
] as const;

export type AskedFor = (typeof askedFor)[number];

/** What a family's packages are called where Debian's name is not it; any one of them will do. */
export type PackageNames = Partial<Record<AskedFor, readonly string[]>>;

/** @returns which of what is asked for an image has, sorted */
export function findPreinstalled(
  installed: ReadonlySet<string>,
  names: PackageNames,
  generator: "initramfs-tools" | "dracut" | undefined,
): AskedFor[] {
  const has = (asked: AskedFor) => (names[asked] ?? [asked]).some((name) => installed.has(name));
  return askedFor.filter(
    // dracut opens LUKS with a module of its own: it wants no package beside cryptsetup.
    (asked) => has(asked) || (asked === "cryptsetup-initramfs" && generator === "dracut" && has("cryptsetup")),
  );
}
