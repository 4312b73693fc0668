import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { observeCommands, run } from "../../../common/run.ts";
import { type CatalogImage, findImage, loadCatalog } from "../../../factory/catalog.ts";
import { customizeDisk } from "../../../factory/customize-disk.ts";
import { packerDirectory } from "../../../factory/customize-template.ts";
import { cloudServerSchema } from "../../../factory/customize-way.ts";
import { flavorId, StandInCloud } from "./stand-in-cloud.ts";

let folder: string;
let image: CatalogImage;
let cloud: StandInCloud;
let onText: (text: string) => void;
const texts: string[] = [];
const commands: string[] = [];
const vendorBytes = Buffer.alloc(3 * 2 ** 20, "vendor");

beforeAll(async () => {
  folder = await mkdtemp("/var/tmp/customize-openstack-");
  image = findImage(await loadCatalog(), "debian-12");
  await writeFile(join(folder, "vendor.qcow2"), vendorBytes);
  await writeFile(join(folder, "activation-key"), "key-1234\n");
});
afterAll(() => rm(folder, { recursive: true }));
beforeEach(async () => {
  texts.length = 0;
  commands.length = 0;
  onText = (text) => texts.push(text);
  cloud = await StandInCloud.start(folder);
});
afterEach(() => cloud[Symbol.asyncDispose]());

/** The template with one script in place of the family's own, and a last one for a root directory without a system. */
async function makeTemplate(script: string): Promise<string> {
  const template = await mkdtemp(join(folder, "template-"));
  await cp(packerDirectory, template, { recursive: true });
  await writeFile(join(template, "scripts/only.sh"), script);
  await writeFile(join(template, "scripts/seal.sh"), "echo sealed >>/var/marker\n: >/etc/machine-id\n");
  const family = 'scripts = ["scripts/only.sh"]\nfamily_packages = ["mdadm"]\n';
  await writeFile(join(template, "families/debian.pkrvars.hcl"), family);
  return template;
}

async function customize(
  script: string,
  options: { floatingIpNetwork?: string; user?: string; signal?: AbortSignal } = {},
) {
  const { floatingIpNetwork, user, ...rest } = options;
  const scratch = join(folder, "scratch");
  await mkdir(scratch, { recursive: true });
  const endObservation = observeCommands((command) => commands.push(command));
  try {
    return await customizeDisk(image, {
      way: "openstack",
      server: cloudServerSchema.parse({ flavor: flavorId, floatingIpNetwork, user }),
      disk: { path: join(folder, "vendor.qcow2"), format: "qcow2" },
      destination: join(folder, "customized"),
      scratch,
      template: await makeTemplate(script),
      cloud: { environment: cloud.environment },
      sshPort: cloud.sshPort,
      rhsm: { organization: "12345", activationKeyFile: join(folder, "activation-key") },
      onText: (text) => onText(text),
      ...rest,
    });
  } finally {
    endObservation();
    expect(await readdir(scratch)).toEqual([]);
    const processes = await run("ps", ["-eo", "args"], { doing: "listing processes" });
    expect(processes.stdout.split("\n").filter((line) => line.includes(scratch))).toEqual([]);
  }
}

const nothing = { images: [], servers: [], floatingIps: [] };
const inCloud = () => ({
  images: [...cloud.images.values()].map(({ name }) => name),
  servers: [...cloud.servers.keys()],
  floatingIps: [...cloud.floatingIps.keys()],
});

describe("customizing in a cloud", () => {
  it("boots the vendor's file, runs the scripts as root, and fetches what is made of the server", async () => {
    const result = await customize(
      [
        'echo "who: $(id -un), $ADD_PACKAGES, $RHSM_ORGANIZATION"',
        "stat -c '%a %n' /run/metalcast/secrets/*",
        "cat /run/metalcast/secrets/activation-key >/var/marker",
      ].join("\n"),
    );
    expect(result).toEqual({ path: join(folder, "customized"), format: "qcow2", leftovers: [] });
    const made = Buffer.concat([vendorBytes, Buffer.from("key-1234\nsealed\n")]);
    expect((await readFile(result.path)).equals(made)).toBe(true);
    expect(texts).toContain("running scripts/only.sh");
    expect(texts.find((text) => text.startsWith("who: "))).toMatch(/^who: root, mdadm .*linux-image-amd64, 12345$/);
    expect(texts).toContain("600 /run/metalcast/secrets/activation-key");
    expect(`${texts} ${commands}`).not.toMatch(/key-1234|correct horse/);
    expect(inCloud()).toEqual(nothing);
  });

  it("takes the build's key out of the server before its image is made", async () => {
    const before = await readdir(folder);
    await customize("mkdir -p /etc && echo 'nameserver 10.0.2.3' >/etc/resolv.conf");
    const after = (await readdir(folder)).filter((name) => !before.includes(name));
    const root = after.find((name) => /^[0-9a-f-]{36}$/.test(name)) ?? "";
    expect(await readdir(join(folder, root, "root"))).toEqual([]);
    expect(await readdir(join(folder, root, "tmp"))).toEqual([]);
    expect(await readFile(join(folder, root, "etc/machine-id"), "utf8")).toBe("");
    expect(await readFile(join(folder, root, "etc/resolv.conf"), "utf8")).toBe("");
  });

  it("logs in as another user than root, runs the scripts through sudo, and removes the user", async () => {
    const result = await customize("cat /var/sudo", { user: "build" });
    expect(texts).toContain("sudo env");
    const made = Buffer.concat([vendorBytes, Buffer.from("removed: --force --remove build\nsealed\n")]);
    expect((await readFile(result.path)).equals(made)).toBe(true);
    expect(inCloud()).toEqual(nothing);
  });

  it("gives back the floating address that it was reached by", async () => {
    await customize("true", { floatingIpNetwork: "Ext-Net" });
    expect(cloud.requests).toContain("POST /network/v2.0/floatingips");
    expect(inCloud()).toEqual(nothing);
  });

  it("tells a failing script's last lines, and leaves nothing in the cloud", async () => {
    await expect(customize("echo before; echo broken here >&2; exit 3")).rejects.toMatchObject({
      code: "customize-failed",
      message: expect.stringMatching(/scripts\/only\.sh failed: (?=.*before)(?=.*broken here).*status: 3/),
      data: { script: "scripts/only.sh" },
    });
    expect(inCloud()).toEqual(nothing);
  });

  it("interrupted in a script, removes what Packer could not, too", async () => {
    const controller = new AbortController();
    onText = (text) => text === "started" && controller.abort();
    const script = "echo started; while :; do :; done";
    await expect(customize(script, { signal: controller.signal, floatingIpNetwork: "Ext-Net" })).rejects.toMatchObject({
      code: "interrupted",
    });
    expect(inCloud()).toEqual(nothing);
  });

  it("interrupted before it knows of its image in the cloud, removes that, too", async () => {
    const controller = new AbortController();
    cloud.faults = { onImage: () => controller.abort() };
    await expect(customize("true", { signal: controller.signal })).rejects.toMatchObject({ code: "interrupted" });
    expect(inCloud()).toEqual(nothing);
  });

  it("says what could not be removed from the cloud", async () => {
    cloud.faults = { keepImages: true, refuseServers: true };
    const failure = await customize("true").catch((error: unknown) => error);
    const [id = ""] = cloud.images.keys();
    expect(failure).toMatchObject({
      code: "customize-failed",
      message: expect.stringContaining("quota exceeded"),
      hint: expect.stringContaining(id),
      data: { leftovers: [expect.stringContaining(`removing the image ${id}`)] },
    });
  });

  it("does not take an image that is not what the cloud says it is", async () => {
    cloud.faults = { corruptDownloads: true };
    await expect(customize("true")).rejects.toMatchObject({ code: "cloud-hash-mismatch", kind: "integrity" });
    expect(inCloud()).toEqual(nothing);
  });

  it("does not boot an image that is not what was sent", async () => {
    cloud.faults = { corruptUploads: true };
    await expect(customize("true")).rejects.toMatchObject({ code: "cloud-hash-mismatch", kind: "integrity" });
    expect(cloud.requests).not.toContain("POST /compute/v2.1/servers");
    expect(inCloud()).toEqual(nothing);
  });
});
