import { chmod, cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Event } from "../../common/event.ts";
import { run } from "../../common/run.ts";
import { build } from "../../factory/build.ts";
import { type CatalogImage, findImage, loadCatalog } from "../../factory/catalog.ts";
import { packerDirectory } from "../../factory/customize-template.ts";
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

async function buildWith(script: string, options: { checksum?: string; signal?: AbortSignal } = {}) {
  events.length = 0;
  const emit = (event: Event) => events.push(event);
  const source = { source: tiny.path, checksum: tiny.checksum, output: join(folder, "out") };
  return build({ image, ...source, template: await makeTemplate(script), emit, ...options });
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

describe("a build that fails", () => {
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
      message: expect.stringMatching(/only\.sh failed: before \| broken here \| .*status: 3/),
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
      10_000,
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
