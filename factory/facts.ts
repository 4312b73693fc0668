import { lstat, readdir, readFile } from "node:fs/promises";
import { Failure } from "../common/failure.ts";
import { resolveInRoot } from "../common/rooted-path.ts";
import type { Manifest } from "../mirror/manifest.ts";
import { type InitramfsContents, moduleName, readInitramfs } from "./initramfs.ts";

export type TreeFacts = Pick<Manifest, "osRelease" | "kernels" | "firmware" | "preinstalled" | "initramfs">;

/** What a job can need, by the name that Debian's package has, and which the installer asks for. */
const askedFor = new Set([
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
]);

/**
 * Reads off a Debian tree what its manifest says. Nothing of the tree is run.
 * @param tree as this process sees it
 * @throws Failure `kernel-missing`, `initramfs-missing`, `file-missing` (failed)
 */
export async function readFacts(tree: string): Promise<TreeFacts> {
  const kernels = await findKernels(tree);
  const contents = await Promise.all(kernels.map((kernel) => readKernelContents(tree, kernel)));
  const initramfs = {
    generator: "initramfs-tools",
    modules: inAll(contents.map(({ modules }) => modules)),
    programs: inAll(contents.map(({ programs }) => programs)),
  } as const;
  return {
    osRelease: parseOsRelease(await readText(tree, "usr/lib/os-release")),
    kernels,
    firmware: await findFirmware(tree),
    preinstalled: parseInstalled(await readText(tree, "var/lib/dpkg/status")).filter((name) => askedFor.has(name)),
    initramfs,
  };
}

/** os-release(5): assignments as a shell reads them. */
export function parseOsRelease(text: string): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const [, name, value] = /^([A-Z][A-Z0-9_]*)=(.*)$/.exec(line.trim()) ?? [];
    if (name === undefined || value === undefined) continue;
    const quoted = /^(["'])(.*)\1$/.exec(value)?.[2];
    fields[name] = (quoted ?? value).replace(/\\([$"'\\`])/g, "$1");
  }
  return fields;
}

/** deb-control(5) paragraphs of dpkg's database. @returns the names of what is installed whole, sorted */
export function parseInstalled(status: string): string[] {
  const names = new Set<string>();
  for (const paragraph of status.split(/\n\n+/)) {
    const name = /^Package: (\S+)$/m.exec(paragraph)?.[1];
    if (name !== undefined && /^Status: \w+ ok installed$/m.test(paragraph)) names.add(name);
  }
  return [...names].sort();
}

async function findKernels(tree: string): Promise<string[]> {
  const names = await readdir(await resolveInRoot(tree, "boot", "follow"));
  const releases = names.flatMap((name) => /^vmlinuz-(.+)$/.exec(name)?.[1] ?? []);
  const newestFirst = releases.sort((a, b) => b.localeCompare(a, "en", { numeric: true }));
  if (newestFirst.length > 0) return newestFirst;
  throw new Failure({
    code: "kernel-missing",
    kind: "failed",
    message: "looking for kernels: there is no /boot/vmlinuz-*",
    hint: "add the hardware kernel's package to the image's catalog file",
  });
}

/** An initramfs need not hold what the kernel has built in. */
async function readKernelContents(tree: string, kernel: string): Promise<InitramfsContents> {
  const path = await resolveInRoot(tree, `boot/initrd.img-${kernel}`, "follow");
  if (!(await isFile(path))) {
    const message = `looking for the initramfs of kernel ${kernel}: there is no /boot/initrd.img-${kernel}`;
    throw new Failure({ code: "initramfs-missing", kind: "failed", message });
  }
  const { modules, programs } = await readInitramfs(path);
  const builtIn = await readText(tree, `lib/modules/${kernel}/modules.builtin`);
  return { modules: new Set([...modules, ...builtIn.split("\n").flatMap((line) => moduleName(line) ?? [])]), programs };
}

/** What every one of the sets has, sorted. */
function inAll([first = new Set(), ...others]: Set<string>[]): string[] {
  return [...first].filter((name) => others.every((set) => set.has(name))).sort();
}

async function findFirmware(tree: string): Promise<Manifest["firmware"]> {
  const has = async (path: string) => isFile(await resolveInRoot(tree, path, "follow"));
  const [bios, uefi, shim, signed] = await Promise.all([
    has("usr/lib/grub/i386-pc/moddep.lst"),
    has("usr/lib/grub/x86_64-efi/moddep.lst"),
    has("usr/lib/shim/shimx64.efi.signed"),
    has("usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed"),
  ]);
  return { bios, uefi, secureBoot: uefi && shim && signed };
}

/** @throws Failure `file-missing` (failed), also where it is no regular file: reading a pipe would not end */
async function readText(tree: string, path: string): Promise<string> {
  const resolved = await resolveInRoot(tree, path, "follow");
  if (await isFile(resolved)) return readFile(resolved, "utf8");
  const message = `reading what the image holds: there is no file /${path}`;
  throw new Failure({ code: "file-missing", kind: "failed", message });
}

async function isFile(path: string): Promise<boolean> {
  return lstat(path).then(
    (stats) => stats.isFile(),
    () => false,
  );
}
