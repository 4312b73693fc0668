import { createHash } from "node:crypto";
import { chmod, readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Secret } from "../../../common/secret.ts";
import { runFenced } from "../../../installer/boot/fence.ts";
import { licenseSteps } from "../../../installer/license/plan-license.ts";
import { writeFiles } from "../../../installer/write-files.ts";
import { sampleJob } from "../samples.ts";
import { LicensedImage, type Server } from "./licensed-image.ts";

const key = 'k3y-of "Zürich" $(id) 100%';

/** Has cloud-init find its configuration, as a boot does, then starts what the installer has written. */
async function boot(image: LicensedImage): Promise<{ lines: string[]; exitCode: unknown }> {
  const license = { rhsm: { organization: "123", activationKey: new Secret(key), when: "first-boot" } };
  for (const step of licenseSteps(sampleJob({ license }), image.path)) {
    if (step.kind === "write-files") await writeFiles(step.target, step.files);
  }
  const seed = "/var/lib/cloud/seed/nocloud";
  await image.put(`${seed}/meta-data`, "instance-id: one\n");
  await image.put(`${seed}/user-data`, "#cloud-config\n{}\n");
  await image.put(
    "/etc/cloud/cloud.cfg",
    "datasource_list: [NoCloud]\ncloud_init_modules: []\nnetwork: { config: disabled }\n",
  );
  // Its pauses are for networks that come up late.
  await image.put("/usr/sbin/sleep", "#!/bin/sh\n");
  await chmod(join(image.path, "usr/sbin/sleep"), 0o755);
  const lines: string[] = [];
  const script = "cloud-init init --local; sh /usr/local/lib/metalcast-license/register";
  const program = { target: image.path, devices: [], command: ["sh", "-c", script] as const, network: true };
  const exitCode = await runFenced(program, { doing: "booting", onLine: (line) => void lines.push(line) }).then(
    () => 0,
    (error: { data: { exitCode: number } }) => error.data.exitCode,
  );
  return { lines, exitCode };
}

async function leftovers(image: LicensedImage): Promise<string[]> {
  const units = await readdir(join(image.path, "etc/systemd/system/multi-user.target.wants"));
  const folders = await readdir(join(image.path, "usr/local/lib"));
  const files = (await image.filesWith("k3y-of")).filter((path) => !path.endsWith("/var/lib/stand-in.json"));
  return [...units, ...folders].filter((name) => name.includes("license")).concat(files);
}

test("cloud-init's own module registers the system, and what it was given is gone", async () => {
  await using image = await LicensedImage.make();
  const { lines, exitCode } = await boot(image);
  expect(lines.join("\n")).toContain("metalcast: the system is registered");
  expect(exitCode).toBe(0);
  expect(await image.seen()).toEqual([
    expect.objectContaining({ command: "register", org: "123", key: createHash("sha256").update(key).digest("hex") }),
  ]);
  expect(lines.join("\n")).not.toContain("k3y-of");
  // That module hands it on as an argument: docs/license.md says so.
  expect(JSON.stringify((await image.seen())[0]?.commandLines)).toContain("--activationkey=k3y-of");
  expect(await leftovers(image)).toEqual([]);
});

test("where that does not succeed, it is tried four times, and then gone all the same", async () => {
  const server: Partial<Server> = { exit: 70, says: "Network error, unable to connect to server." };
  await using image = await LicensedImage.make(server);
  const { lines, exitCode } = await boot(image);
  expect(lines.at(-1)).toMatch(/^metalcast: the system is not registered/);
  expect(exitCode).toBe(1);
  expect((await image.seen()).map(({ command }) => command)).toEqual(Array(4).fill("register"));
  expect(await leftovers(image)).toEqual([]);
});
