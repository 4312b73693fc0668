import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { run } from "../../../common/run.ts";
import { build, findImage, loadCatalog } from "../../../factory/index.ts";
import { buildVendorImage } from "../../lab/vendor-image.ts";

/** Emulated, an initramfs alone takes from five minutes on; a machine that does other things besides takes longer. */
const timeout = 45 * 60_000;

/** The image's packages come from the mirror that the image itself names, through QEMU's user networking. */
test("a build that boots the vendor's disk publishes what the chroot way would, and nothing of its own boot", {
  timeout,
}, async () => {
  const directory = await mkdtemp("/var/tmp/customize-qemu-");
  const texts: string[] = [];
  try {
    const { file, format, checksum } = await buildVendorImage({ release: "bookworm", format: "qcow2" });
    const catalog = findImage(await loadCatalog(), "debian-12");
    const built = await build({
      // What stands in for the vendor's file has no boot loader for BIOS.
      image: { ...catalog, firmware: ["uefi"] },
      source: file,
      format,
      checksum,
      output: join(directory, "debian-12"),
      customize: { way: "qemu", accelerator: "tcg" },
      emit: (event) => event.kind === "note" && texts.push(event.text),
    });
    expect(texts).toContain("running scripts/debian/packages.sh");
    const { preinstalled, kernels, firmware, initramfs } = built.manifest;
    expect(preinstalled).toEqual(expect.arrayContaining(["mdadm", "lvm2", "cryptsetup", "cloud-init", "efibootmgr"]));
    expect(firmware).toEqual({ bios: true, uefi: true, secureBoot: true });
    expect(kernels).toEqual([expect.stringMatching(/^\d+\.\d+\.\d+-\d+-amd64$/)]);
    expect(initramfs.generator).toBe("initramfs-tools");

    const tree = join(directory, "tree");
    await run("mkdir", [tree], { doing: "making a folder" });
    await run("tar", ["--zstd", "-xf", join(built.directory, "image.tar.zst"), "-C", tree], { doing: "unpacking" });
    expect(await readFile(join(tree, "etc/machine-id"), "utf8")).toBe("");
    expect((await readdir(join(tree, "etc/ssh"))).filter((name) => name.startsWith("ssh_host_"))).toEqual([]);
    expect(await readdir(join(tree, "var/lib/cloud"))).toEqual([]);
    expect(await readdir(join(tree, "home"))).toEqual([]);
    expect(await readdir(join(tree, "tmp"))).toEqual([]);
    // What the package base-files has there.
    expect(await readdir(join(tree, "run"))).toEqual(["lock"]);
    expect(await readdir(join(tree, "root"))).not.toContain(".ssh");
    await expect(stat(join(tree, "var/lib/systemd/random-seed"))).rejects.toMatchObject({ code: "ENOENT" });
    const logs = await run("find", [join(tree, "var/log"), "-type", "f"], { doing: "looking for logs" });
    expect(logs.stdout).toBe("");
    const traces = ["-rlsE", "10[.]0[.]2[.]|metalcast-build|ssh-ed25519 ", join(tree, "etc"), join(tree, "root")];
    const found = await run("grep", traces, { doing: "looking for traces of the boot", accept: [0, 1] });
    expect(found.stdout).toBe("");
  } finally {
    await rm(directory, { recursive: true });
  }
});
