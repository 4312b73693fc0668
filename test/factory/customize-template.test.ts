import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../common/run.ts";
import { prepareGuest } from "../../factory/customize-guest.ts";
import { assembleTemplate, digestTemplate, packerDirectory } from "../../factory/customize-template.ts";
import type { CustomizeWay } from "../../factory/customize-way.ts";
import { readCloud } from "../../factory/openstack/cloud.ts";
import { writePackerEnvironment } from "../../factory/openstack/packer-environment.ts";
import { StandInCloud } from "./openstack/stand-in-cloud.ts";

let folder: string;
let cloud: StandInCloud;
let environment: Record<string, string>;
let variables: Record<CustomizeWay, Record<string, string>>;

beforeAll(async () => {
  folder = await mkdtemp("/var/tmp/template-");
  for (const way of ["chroot", "qemu", "openstack"] as const) {
    await assembleTemplate(way, packerDirectory, join(folder, way));
  }
  cloud = await StandInCloud.start(folder);
  environment = await writePackerEnvironment(await readCloud({ environment: cloud.environment }), folder);
  const guest = await prepareGuest({ user: "root", scratch: folder });
  await writeFile(join(folder, "vendor.raw"), "");
  const boot = { ...guest.variables };
  variables = {
    chroot: { tree: "/tree" },
    qemu: {
      ...boot,
      disk: join(folder, "vendor.raw"),
      disk_size: "11811160064b",
      output_directory: join(folder, "output"),
      seed: folder,
      accelerator: "tcg",
      console_log: join(folder, "console.log"),
    },
    openstack: {
      ...boot,
      name: "metalcast-debian-12",
      source_image: "36357c78-45f5-47a6-b7dc-565c037cd8f3",
      flavor: "b2-7",
      user_data_file: guest.userDataFile,
    },
  };
});
afterAll(async () => {
  await cloud[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** @returns what Packer has to say: nothing good has an exit code other than 0 */
async function validate(way: CustomizeWay, change: Record<string, string> = {}, family = "debian") {
  const settings = Object.entries({ ...variables[way], ...change }).map(([name, value]) => `-var=${name}=${value}`);
  const template = join(folder, way);
  const file = `-var-file=${join(template, "families", `${family}.pkrvars.hcl`)}`;
  return run("packer", ["validate", file, ...settings, template], {
    doing: "validating",
    accept: [0, 1],
    env: { ...environment, HOME: folder, CHECKPOINT_DISABLE: "1" },
  });
}

const families = (await readdir(join(packerDirectory, "families"))).map((file) => file.replace(".pkrvars.hcl", ""));
const ways = ["chroot", "qemu", "openstack"] as const;

describe("the template", () => {
  it.each(ways.flatMap((way) => families.map((family) => [way, family] as const)))(
    "is valid for %s and the family %s",
    async (way, family) => {
      expect(await validate(way, {}, family)).toMatchObject({ exitCode: 0 });
    },
  );

  it("is formatted, every file of it", async () => {
    for (const directory of [".", "families", "chroot", "guest", "qemu", "openstack", "plugins"]) {
      await run("packer", ["fmt", "-check", join(packerDirectory, directory)], { doing: `checking ${directory}` });
    }
  });

  it.each([
    ["chroot", { tree: "/" }, "The tree must be an absolute path other than the root directory"],
    ["chroot", { scripts: "[]" }, "The scripts must not be empty"],
    ["chroot", { rhsm_organization: "1;2" }, "The organization must be its identifier"],
    ["qemu", { user: "1st" }, "The user must be a name"],
    ["qemu", { private_key_file: "" }, "The private key file must not be empty"],
    ["qemu", { settings: "settings" }, "The settings must be the absolute path"],
    ["qemu", { disk: "/vendor.qcow2" }, "The disk must be the absolute path of a file whose name ends in .raw"],
    ["qemu", { disk_size: "10G" }, "The disk size must be a number of bytes"],
    ["qemu", { accelerator: "hvf" }, "The accelerator must be kvm or tcg"],
    ["qemu", { memory_mib: "64" }, "The memory must be at least 512 MiB"],
    ["openstack", { source_image: "debian" }, "The source image must be a UUID"],
    ["openstack", { name: "Debian 12" }, "The name must be of lower-case letters"],
    ["openstack", { flavor: "" }, "The flavor must be a name or identifier"],
    ["openstack", { region: "GRA 1" }, "The region must be a name"],
    ["openstack", { networks: '["net"]' }, "Each network must be a UUID"],
    ["openstack", { floating_ip_network: "a/b" }, "The floating ip network must be a name or identifier"],
  ] as const)("refuses for %s: %j", async (way, change, problem) => {
    const { stdout, exitCode } = await validate(way, change);
    expect(exitCode).toBe(1);
    expect(stdout.replaceAll(/\s+/g, " ")).toContain(problem);
  });

  it("names a source of one way only, so that no way needs another's plugin", async () => {
    const sources = ways.map(async (way) => {
      const { stdout } = await run("sh", ["-c", 'cat "$1"/*.pkr.hcl', "sh", join(folder, way)], { doing: "reading" });
      return [...stdout.matchAll(/^source "(\w+)"/gm)].map(([, type]) => type);
    });
    expect(await Promise.all(sources)).toEqual([["null"], ["qemu"], ["openstack"]]);
  });

  it("has a digest that any change to a script changes", async () => {
    const before = await digestTemplate(join(folder, "chroot"));
    expect(before).toMatch(/^[0-9a-f]{64}$/);
    await writeFile(join(folder, "chroot/scripts/seal.sh"), "\n", { flag: "a" });
    expect(await digestTemplate(join(folder, "chroot"))).not.toBe(before);
  });
});
