import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Secret } from "../../../common/secret.ts";
import { describeCommands, describePlan } from "../../../installer/describe-plan.ts";
import { loadJob } from "../../../installer/job.ts";
import { plan } from "../../../installer/plan.ts";
import { sampleHardware, sampleImage, sampleJob } from "../samples.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "hooks-"));
  await writeFile(join(directory, "root.json"), "{}");
});
afterEach(() => rm(directory, { recursive: true }));

async function load(hooks: string) {
  const job =
    "image: debian-12\nmirror: file:///m\nmirrorRoot: root.json\ndisks: { count: 1 }\nstorage: single\ninstance: { hostname: a }\n";
  await writeFile(join(directory, "job.yaml"), `${job}hooks: ${hooks}\n`);
  return (await loadJob(join(directory, "job.yaml"))).hooks;
}

test("scripts are files beside the job; one alone needs no list", async () => {
  await writeFile(join(directory, "tune.sh"), "#!/bin/sh\ntrue\n");
  const hook = { name: "./tune.sh", content: "#!/bin/sh\ntrue\n", timeoutMs: 600_000 };
  expect(await load("{}")).toEqual({ afterPartitioning: [], afterLaying: [], beforeReboot: [] });
  expect(
    await load("{ afterPartitioning: ./tune.sh, beforeReboot: [{ script: ./tune.sh, timeout: 90 s, network: true }] }"),
  ).toEqual({
    afterPartitioning: [{ ...hook, network: true }],
    afterLaying: [],
    beforeReboot: [{ ...hook, timeoutMs: 90_000, network: true }],
  });
  expect((await load("{ afterLaying: { script: ./tune.sh } }")).afterLaying).toEqual([{ ...hook, network: false }]);
});

test.each([
  ["{ afterLaying: ./missing.sh }", "job-unreadable", /reading hooks\.afterLaying/],
  ["{ afterLaying: ./binary }", "job-invalid", /hooks\.afterLaying\.0\.content: expected a script whose first line/],
  ["{ afterLaying: { script: ./tune.sh, timeout: soon } }", "job-invalid", /timeout: "soon" is not a time limit/],
  ["{ afterLaying: { script: ./tune.sh, timeout: 0 s } }", "job-invalid", /timeout: "0 s" is not a time limit/],
  ["{ afterPartitioning: { script: ./tune.sh, network: true } }", "job-invalid", /Unrecognized key: "network"/],
  ["{ afterReboot: ./tune.sh }", "job-invalid", /hooks: Unrecognized key: "afterReboot"/],
  ["{ afterLaying: [7] }", "job-invalid", /hooks\.afterLaying\.0: /],
])("%s is refused", async (hooks, code, message) => {
  await writeFile(join(directory, "tune.sh"), "#!/bin/sh\ntrue\n");
  await writeFile(join(directory, "binary"), "\x7fELF");
  await expect(load(hooks)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
});

const hook = (name: string, fields: object = {}) => ({ name, content: `#!/bin/sh\necho ${name} hunter2\n`, ...fields });

const hooks = {
  afterPartitioning: [hook("first.sh")],
  afterLaying: [hook("second.sh"), hook("third.sh", { network: true, timeout: "2 min" })],
  beforeReboot: [hook("fourth.sh")],
};

/** The names of a plan's steps, without those before the disks are mounted. */
function stepsOf(family: "debian" | "redhat", name: string) {
  const job = sampleJob({ hooks, initramfs: "rebuild" });
  const image = sampleImage({ family, osRelease: { ID: name, NAME: name, VERSION_ID: "9" } });
  const names = plan(job, sampleHardware(), image).steps.map((step) => step.name);
  return names.slice(names.indexOf("mount"));
}

test("they run once there is what they need, and before anything boots", () => {
  expect(stepsOf("debian", "debian")).toEqual([
    "mount",
    "hook-after-partitioning-1",
    "config-drive",
    "lay-image",
    "configure",
    "hook-after-laying-1",
    "hook-after-laying-2",
    "initramfs",
    "grub-configuration",
    "hook-before-reboot-1",
    "fill-esp",
    "grub-bios",
    "grub-uefi",
    "note-loader",
    "sync-esp",
    "firmware-entries",
    "release",
    "reboot",
  ]);
});

test("where files have labels, those that hooks write get theirs", () => {
  const names = stepsOf("redhat", "rocky");
  expect(names.indexOf("hook-before-reboot-1")).toBe(names.indexOf("label-files") - 1);
  expect(names.indexOf("hook-before-reboot-1")).toBeLessThan(names.indexOf("fill-esp"));
});

test("a plan shows of a script its name, its size and its hash", () => {
  const made = plan(sampleJob({ hooks }), sampleHardware(), sampleImage());
  const sha256 = createHash("sha256")
    .update(hooks.afterLaying[1]?.content ?? "")
    .digest("hex");
  expect(describePlan(made)).toContain(`run third.sh (32 B, SHA-256 ${sha256.slice(0, 12)})`);
  const commands = describeCommands(made);
  expect(commands).toContain(
    `run third.sh, SHA-256 ${sha256}, for 2 min 00 s at most,\n  in the target, with network\n`,
  );
  expect(commands).toMatch(/run second\.sh, .*for 10 min 00 s at most,\n {2}in the target, without network\n/);
  expect(commands).toMatch(/run first\.sh, .*\n {2}in the rescue system\n {2}\| METALCAST_HOOK=afterPartitioning\n/);
  expect(commands + describePlan(made) + JSON.stringify(made)).not.toContain("hunter2");
});

test("they are told what is installed, and where", () => {
  const { steps, instanceUuid } = plan(sampleJob({ hooks }), sampleHardware(), sampleImage());
  const environments = steps.flatMap((step) => (step.kind === "hook" ? [step.environment] : []));
  expect(environments[0]).toEqual({
    METALCAST_HOOK: "afterPartitioning",
    METALCAST_IMAGE: "debian-12@20261123.0",
    METALCAST_INSTANCE: instanceUuid,
    METALCAST_HOSTNAME: "web-1",
    METALCAST_DISKS: "/dev/disk/by-id/ata-SAMPLE_A /dev/disk/by-id/ata-SAMPLE_B",
    METALCAST_TARGET: "/run/metalcast/target",
  });
  expect(environments.map((environment) => environment.METALCAST_TARGET).slice(1)).toEqual(["/", "/", "/"]);
});

test("the job's secrets are known wherever they are", () => {
  const job = sampleJob({
    hooks,
    phoneHome: { url: "http://192.0.2.1/", token: new Secret("t0ken") },
    storage: { preset: "raid1", encrypt: { passphrase: new Secret("passw0rd") } },
  });
  const image = sampleImage({ preinstalled: ["cloud-init", "cryptsetup", "cryptsetup-initramfs", "curl", "mdadm"] });
  const step = plan(job, sampleHardware(), image).steps.find(({ kind }) => kind === "hook");
  const secrets = step?.kind === "hook" ? step.secrets.map((secret) => secret.reveal()) : [];
  expect(secrets.sort()).toEqual(["passw0rd", "t0ken"]);
});
