import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parse as parseYaml } from "yaml";
import { Secret } from "../../../common/secret.ts";
import { loadJob } from "../../../installer/job.ts";
import { sampleJob } from "../samples.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "license-"));
  await writeFile(join(directory, "root.json"), "{}");
  await writeFile(join(directory, "secret"), "hunter2\n");
  await writeFile(join(directory, "two-lines"), "hunter2\nhunter3\n");
  await writeFile(join(directory, "ca.pem"), "-----BEGIN CERTIFICATE-----\n");
});
afterEach(() => rm(directory, { recursive: true }));

async function load(license: string) {
  const job =
    "image: debian-12\nmirror: file:///m\nmirrorRoot: root.json\ndisks: { count: 1 }\nstorage: single\ninstance: { hostname: a }\n";
  await writeFile(join(directory, "job.yaml"), `${job}license: ${license}\n`);
  return (await loadJob(join(directory, "job.yaml"))).license;
}

test("secrets are files beside the job", async () => {
  expect(await load("none")).toBe("none");
  const byUser = await load(
    "{ rhsm: { username: alice, passwordFile: secret, caFile: ca.pem, proxy: { url: 'http://p:3128', user: bob, passwordFile: ./secret } } }",
  );
  expect(byUser).toMatchObject({
    rhsm: { username: "alice", when: "installation", onFailure: "fail", ca: "-----BEGIN CERTIFICATE-----\n" },
  });
  expect(JSON.stringify(byUser)).not.toContain("hunter2");
  const { rhsm } = byUser as { rhsm: { password: Secret; proxy: { password: Secret } } };
  expect([rhsm.password.reveal(), rhsm.proxy.password.reveal()]).toEqual(["hunter2", "hunter2"]);
  expect(await load("{ rhsm: { organization: 123, activationKeyFile: secret } }")).toMatchObject({
    rhsm: { organization: "123", activationKey: new Secret("hunter2") },
  });
  expect(await load("{ ubuntuPro: { tokenFile: secret, services: [esm-infra] } }")).toMatchObject({
    ubuntuPro: { services: ["esm-infra"] },
  });
  expect(await load("{ suse: { registrationCodeFile: secret, email: a@example.net } }")).toMatchObject({
    suse: { email: "a@example.net" },
  });
});

test.each([
  ["full", /license: expected none, or one of rhsm, ubuntuPro, suse/],
  ["{}", /license: expected one of rhsm, ubuntuPro, suse/],
  ["{ satellite: {} }", /license: Unrecognized key: "satellite"/],
  ["{ rhsm: {} }", /license\.rhsm\.activationKey: expected an activation key, or username and password/],
  [
    "{ rhsm: { activationKeyFile: secret } }",
    /license\.rhsm\.organization: expected the activation key's organization/,
  ],
  ["{ rhsm: { organization: a, activationKeyFile: secret, username: b } }", /a user, not both/],
  ["{ rhsm: { username: b } }", /license\.rhsm\.password: expected the user's password/],
  ["{ rhsm: { passwordFile: secret } }", /license\.rhsm\.username: expected the password's user/],
  ["{ rhsm: { organization: a, activationKeyFile: two-lines } }", /activationKey: expected a file with one line/],
  ["{ rhsm: { organization: a, activationKey: hunter2 } }", /license\.rhsm\.activationKey: /],
  [
    "{ rhsm: { username: b, passwordFile: secret, organization: c, when: first-boot } }",
    /organization: cannot be told/,
  ],
  [
    "{ rhsm: { username: b, passwordFile: secret, when: first-boot, onFailure: continue } }",
    /onFailure: nothing fails/,
  ],
  ["{ rhsm: { username: b, passwordFile: secret, proxy: { url: 'socks://p' } } }", /proxy\.url: expected an address/],
  [
    "{ rhsm: { username: b, passwordFile: secret, server: { hostname: 'a b', prefix: rhsm } } }",
    /hostname: .*; .*prefix: /,
  ],
  ["{ rhsm: { username: b, passwordFile: secret, caFile: secret } }", /ca: expected certificates in PEM/],
  ["{ suse: { url: http://a } }", /license\.suse\.registrationCode: /],
])("%s is refused", async (license, message) => {
  const failure = load(license);
  await expect(failure).rejects.toMatchObject({ code: "job-invalid", message: expect.stringMatching(message) });
  expect(await failure.catch(String)).not.toContain("hunter");
});

test("the file of a secret must be there", async () => {
  await expect(load("{ suse: { registrationCodeFile: missing } }")).rejects.toMatchObject({
    code: "job-unreadable",
    message: expect.stringContaining("license.suse.registrationCodeFile"),
  });
});

test("each of the examples for Red Hat Enterprise Linux is a job", async () => {
  const folder = new URL("../../../examples/", import.meta.url);
  const names = (await readdir(folder)).filter((name) => name.startsWith("rhel-")).sort();
  expect(names).toEqual(["rhel-7-byol.yaml", "rhel-7-unlicensed.yaml", "rhel-8-byol.yaml", "rhel-8-unlicensed.yaml"]);
  for (const name of names) {
    const text = await readFile(new URL(name, folder), "utf8");
    for (const [, file = ""] of text.matchAll(/File: \.\/(\S+?)[,\s]/g))
      await writeFile(join(directory, file), "hunter2\n");
    await writeFile(join(directory, name), text);
    await writeFile(join(directory, "root.json"), "{}");
    const { image, license } = await loadJob(join(directory, name));
    expect(image).toBe(name.slice(0, "rhel-N".length));
    if (name.includes("byol")) expect(license).toMatchObject({ rhsm: { organization: expect.any(String) } });
    else expect(license).toBe("none");
    expect(parseYaml(text)).toHaveProperty("instance.hostname");
  }
});

test("a job without a license has none", () => expect(sampleJob().license).toBeUndefined());
