import { once } from "node:events";
import { chmod, cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Event } from "../../common/event.ts";
import { run } from "../../common/run.ts";
import { type BuildOptions, build } from "../../factory/build.ts";
import { type CatalogImage, findImage, loadCatalog } from "../../factory/catalog.ts";
import { digestFile } from "../../factory/checksum.ts";
import { packerDirectory } from "../../factory/customize-template.ts";
import type { ImageFormat } from "../../factory/image-format.ts";
import { cpioOf } from "./image-tree.ts";
import { makeTinyImage, type TinyImage } from "./tiny-image.ts";

let folder: string;
let tiny: TinyImage;
let image: CatalogImage;
const events: Event[] = [];

beforeAll(async () => {
  folder = await mkdtemp("/var/tmp/build-");
  tiny = await makeTinyImage(folder);
  image = findImage(await loadCatalog(), "debian-12");
});
afterAll(() => rm(folder, { recursive: true }));

/** The family's template with one script in place of its own. */
async function makeTemplate(script: string): Promise<string> {
  const template = await mkdtemp(join(folder, "template-"));
  await cp(packerDirectory, template, { recursive: true });
  await writeFile(join(template, "scripts/only.sh"), `#!/bin/sh\n${script}\n`);
  await chmod(join(template, "scripts/only.sh"), 0o755);
  const family = 'scripts         = ["scripts/only.sh"]\nfamily_packages = []\n';
  await writeFile(join(template, "families/debian.pkrvars.hcl"), family);
  return template;
}

interface Trial {
  checksum?: string;
  signal?: AbortSignal;
  onEvent?: (event: Event) => void;
}

async function buildWith(script: string, { onEvent, ...options }: Trial = {}) {
  events.length = 0;
  const emit = (event: Event) => {
    events.push(event);
    onEvent?.(event);
  };
  const source = { source: tiny.path, checksum: tiny.checksum, output: join(folder, "out") };
  return build({ image, ...source, template: await makeTemplate(script), emit, ...options });
}

async function makeSource(name: string, bytes: Uint8Array, format: ImageFormat): Promise<Partial<BuildOptions>> {
  const source = join(folder, name);
  await writeFile(source, bytes);
  return { source, format, checksum: `sha256:${await digestFile(source, "sha256")}` };
}

const cutShort = async () => (await readFile(tiny.path)).subarray(0, 200_000);

async function emptyDisk(): Promise<Uint8Array> {
  const file = join(folder, "empty.ext4");
  await run("mke2fs", ["-q", "-t", "ext4", file, "8M"], { doing: "making an empty file system" });
  return readFile(file);
}

async function smallTar(): Promise<Uint8Array> {
  await run("tar", ["-cf", join(folder, "small.tar"), "-C", folder, "empty.ext4"], { doing: "making an archive" });
  return readFile(join(folder, "small.tar"));
}

/** A vendor's server that has nothing. */
async function unreachable(): Promise<CatalogImage> {
  const server = createServer((_, response) => response.writeHead(404).end())
    .listen(0, "127.0.0.1")
    .unref();
  await once(server, "listening");
  const address = server.address();
  const origin = `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`;
  const source = { kind: "listed", url: `${origin}/disk`, checksums: `${origin}/SUMS`, algorithm: "sha512" } as const;
  return { ...image, source };
}

const notes = () => events.flatMap((event) => (event.kind === "note" ? event.text : []));

/** Everything that a build could leave on this machine. */
async function leftovers() {
  const loops = await run("losetup", ["--list", "--noheadings", "--output", "BACK-FILE"], { doing: "listing loops" });
  const processes = await run("ps", ["-eo", "args"], { doing: "listing processes" });
  const files = await readdir(folder);
  return {
    loops: loops.stdout.split("\n").filter((line) => line.includes(folder)),
    mounts: (await readFile("/proc/mounts", "utf8")).split("\n").filter((line) => line.includes(folder)),
    processes: processes.stdout.split("\n").filter((line) => line.includes(folder)),
    files: files.filter((file) => file.startsWith("out")),
  };
}
const nothing = { loops: [], mounts: [], processes: [], files: [] };

/** All that the tiny image lacks to become a published one: a kernel and its initramfs. */
const completing = [
  ": >/boot/vmlinuz-1",
  `printf '${[...cpioOf("conf/initramfs.conf")].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("")}' >/boot/initrd.img-1`,
].join("\n");

describe("a build that succeeds", () => {
  it("leaves its output, and nothing else", async () => {
    const { directory, manifest } = await buildWith(completing);
    expect((await readdir(directory)).sort()).toEqual([
      "SHA256SUMS",
      "image.tar.zst",
      "manifest.json",
      "sbom.cdx.json",
    ]);
    await run("sha256sum", ["--check", "--strict", "SHA256SUMS"], { doing: "checking the sums", cwd: directory });
    expect(manifest).toMatchObject({ family: "debian", kernels: ["1"], initramfs: { generator: "initramfs-tools" } });
    expect(await leftovers()).toEqual({ ...nothing, files: ["out"] });
    await rm(directory, { recursive: true });
  });
});

describe("a build that fails", () => {
  it.each(["fetch", "convert", "mount", "copy", "customize", "inspect", "pack"])(
    "by being interrupted at its step %s leaves nothing",
    async (name) => {
      const controller = new AbortController();
      const onEvent = (event: Event) => event.kind === "step-started" && event.step === name && controller.abort();
      const building = buildWith(completing, { signal: controller.signal, onEvent });
      await expect(building).rejects.toMatchObject({ code: "interrupted", kind: "interrupted" });
      expect(controller.signal.aborted).toBe(true);
      expect(await leftovers()).toEqual(nothing);
    },
  );

  it.each<[string, () => Promise<Partial<BuildOptions>>, string]>([
    ["a download that is refused", async () => ({ image: await unreachable() }), "download-refused"],
    [
      "a file of another format",
      async () => makeSource("x.vmdk", Buffer.alloc(70_000, "x"), "vmdk"),
      "format-mismatch",
    ],
    ["a file that is cut short", async () => makeSource("cut.qcow2", await cutShort(), "qcow2"), "qcow2-outside-file"],
    ["a disk without a system", async () => makeSource("empty.raw", await emptyDisk(), "raw"), "root-missing"],
    ["an archive of something else", async () => makeSource("else.tar", await smallTar(), "tar"), "archive-not-root"],
  ])("for %s leaves nothing", async (_, makeOptions, code) => {
    const options = { image, output: join(folder, "out"), emit: () => {}, ...(await makeOptions()) };
    await expect(build(options)).rejects.toMatchObject({ code });
    expect(await leftovers()).toEqual(nothing);
  });

  it.each([
    ["a version that is none", { version: "today" }, "version-invalid"],
    ["a checksum of a file that is not given", { checksum: "sha256:00" }, "source-missing"],
    ["a format of a file that is not given", { format: "raw" } as const, "source-missing"],
  ])("before it begins, for %s", async (_, wrong, code) => {
    const emit = (event: Event) => events.push(event);
    const output = join(folder, "out");
    await expect(build({ image, output, emit, ...wrong })).rejects.toMatchObject({ code, kind: "configuration" });
    expect(await leftovers()).toEqual(nothing);
  });

  it("in a script tells its last lines, and leaves nothing", async () => {
    await expect(buildWith("echo before; echo broken here >&2; exit 3")).rejects.toMatchObject({
      code: "customize-failed",
      message: expect.stringMatching(/only\.sh failed: (?=.*before)(?=.*broken here).*status: 3/),
    });
    expect(events.at(-1)).toMatchObject({ kind: "operation-failed", operation: "build" });
    expect(await leftovers()).toEqual(nothing);
  });

  it("after its scripts, in reading the tree, leaves nothing", async () => {
    await expect(buildWith("true")).rejects.toMatchObject({ code: "kernel-missing" });
    expect(await leftovers()).toEqual(nothing);
  });

  it("with a wrong checksum has not opened the image", async () => {
    const checksum = `sha512:${"0".repeat(128)}`;
    await expect(buildWith("true", { checksum })).rejects.toMatchObject({
      code: "checksum-mismatch",
      kind: "integrity",
    });
    expect(events.some((event) => event.kind === "step-started" && event.step === "convert")).toBe(false);
    expect(await leftovers()).toEqual(nothing);
  });

  it("by being interrupted in a script leaves nothing, not what the script started either", async () => {
    const controller = new AbortController();
    const script = "(while :; do :; done) & echo started; while :; do :; done";
    const building = buildWith(script, { signal: controller.signal });
    const polling = setInterval(() => notes().includes("started") && controller.abort(), 50);
    await expect(building).rejects.toMatchObject({ code: "interrupted", kind: "interrupted" });
    clearInterval(polling);
    expect(await leftovers()).toEqual(nothing);
  });

  it("by being killed outright leaves no mount, loop device or process", async () => {
    const template = await makeTemplate("echo started; while :; do :; done");
    const program = join(import.meta.dirname, "build-until-killed.ts");
    const child = execa("node", [program, tiny.path, tiny.checksum, join(folder, "out"), template], {
      preferLocal: true,
      reject: false,
    });
    for await (const line of child) {
      if (line === "started") child.kill("SIGKILL");
    }
    expect(await child).toMatchObject({ signal: "SIGKILL" });
    await vi.waitFor(
      async () => expect(await leftovers()).toMatchObject({ ...nothing, files: [expect.any(String)] }),
      60_000,
    );
  });
});

describe("a script inside the fence", () => {
  it("sees neither this machine's disks, processes, files nor environment, and cannot make a device", async () => {
    const script = [
      "echo dev: /dev/*",
      "echo pids: /proc/[0-9]*",
      "echo init: $(ls /proc/1/root/)",
      "echo up: $(ls /../../)",
      "mknod /tmp/disk b 7 0 || echo no devices",
      "echo environment: $(env)",
      "exit 1",
    ].join("\n");
    process.env.METALCAST_TEST_SECRET = "hunter2";
    await expect(buildWith(script)).rejects.toMatchObject({ code: "customize-failed" });
    delete process.env.METALCAST_TEST_SECRET;
    const line = (name: string) => notes().find((text) => text.startsWith(`${name}: `)) ?? "";
    const devices = "fd full null ptmx pts random shm stderr stdin stdout urandom zero";
    expect(line("dev")).toBe(`dev: ${devices.replaceAll(/\w+/g, "/dev/$&")}`);
    expect(line("pids").split(" ").length).toBeLessThanOrEqual(4);
    for (const name of ["init", "up"]) expect(line(name)).toMatch(/^\w+: bin boot dev etc .*proc run sys tmp usr var$/);
    expect(notes()).toContain("no devices");
    expect(line("environment")).not.toMatch(/hunter2|PACKER|TREE=/);
  });
});
