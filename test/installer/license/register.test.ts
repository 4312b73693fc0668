import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Event } from "../../../common/event.ts";
import { Secret } from "../../../common/secret.ts";
import { editIni } from "../../../installer/license/edit-ini.ts";
import { licenseSteps } from "../../../installer/license/plan-license.ts";
import { type RegisterStep, register } from "../../../installer/license/register.ts";
import { plan } from "../../../installer/plan.ts";
import { cleanUp } from "../../../installer/release.ts";
import { writeFiles } from "../../../installer/write-files.ts";
import { sampleHardware, sampleImage, sampleJob } from "../samples.ts";
import { LicensedImage, type Server } from "./licensed-image.ts";

const key = 'k3y-of "Zürich" $(id) 100%';
const password = "pa ss'word%(x)s";
const byKey = { organization: "123", activationKey: new Secret(key) };
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

interface Attempt {
  image: LicensedImage;
  lines: string[];
  error: unknown;
}

function stepOf(image: LicensedImage, rhsm: object): RegisterStep {
  const [step] = licenseSteps(sampleJob({ license: { rhsm } }), image.path).filter(({ kind }) => kind === "register");
  if (step?.kind !== "register") throw new Error("there is no such step");
  return step;
}

/** Runs all steps of a license on a tree, as an installation does. */
async function attempt(image: LicensedImage, rhsm: object, signal?: AbortSignal): Promise<Attempt> {
  const lines: string[] = [];
  const onLine = (line: string) => void lines.push(line);
  try {
    for (const step of licenseSteps(sampleJob({ license: { rhsm } }), image.path)) {
      if (step.kind === "edit-ini") await editIni(step);
      if (step.kind === "write-files") await writeFiles(step.target, step.files);
      if (step.kind === "register") await register(step, { onLine, ...(signal && { signal }) });
    }
    return { image, lines, error: undefined };
  } catch (error) {
    return { image, lines, error };
  }
}

const failing = (server: Partial<Server>, rhsm: object = byKey) =>
  LicensedImage.make(server).then(async (image) => {
    await using made = image;
    const { lines, error } = await attempt(made, rhsm);
    return { lines, error, seen: await made.seen() };
  });

test("a key reaches subscription-manager as it is, by nothing that others can see", async () => {
  await using image = await LicensedImage.make();
  const { lines, error } = await attempt(image, byKey);
  expect(error).toBeUndefined();
  const [seen] = await image.seen();
  expect(seen).toMatchObject({ command: "register", name: "web-1", org: "123", key: sha256(key), input: "" });
  expect(seen?.links).not.toEqual(["lo"]);
  const shown = JSON.stringify([seen?.commandLines, seen?.environments, lines]);
  expect(shown).toContain("/usr/sbin/subscription-manager");
  expect(shown).not.toContain("k3y-of");
  expect(lines).toContain("Registering with [hidden]");
  expect(await image.filesWith("k3y-of")).toEqual([]);
  expect(await image.read("/etc/pki/consumer/cert.pem")).toBe("-----BEGIN\n");
});

test("a user registers by name and password, through a proxy, at a server of one's own", async () => {
  await using image = await LicensedImage.make();
  const ca = "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n";
  const { error } = await attempt(image, {
    username: "alice",
    password: new Secret(password),
    proxy: { url: "http://proxy.example.net:3128", user: "bob", password: new Secret(password) },
    server: { hostname: "satellite.example.net", port: 8443, prefix: "/rhsm" },
    baseUrl: "https://satellite.example.net/pulp/content",
    ca,
    systemPurpose: { role: "Red Hat Enterprise Linux Server", serviceLevel: "Premium", usage: "Production" },
  });
  expect(error).toBeUndefined();
  const [seen] = await image.seen();
  expect(seen).toMatchObject({
    username: "alice",
    org: null,
    key: null,
    password: sha256(password),
    proxyPassword: sha256(password),
    configuration: {
      server: {
        hostname: "satellite.example.net",
        port: "8443",
        prefix: "/rhsm",
        proxy_hostname: "proxy.example.net",
        proxy_port: "3128",
        proxy_user: "bob",
      },
      rhsm: {
        manage_repos: "1",
        baseurl: "https://satellite.example.net/pulp/content",
        repo_ca_cert: "/etc/rhsm/ca/metalcast.pem",
      },
    },
  });
  expect(await image.read("/etc/rhsm/ca/metalcast.pem")).toBe(ca);
  expect(JSON.parse(await image.read("/etc/rhsm/syspurpose/syspurpose.json"))).toEqual({
    role: "Red Hat Enterprise Linux Server",
    service_level_agreement: "Premium",
    usage: "Production",
  });
  expect((await stat(join(image.path, "etc/rhsm/rhsm.conf"))).mode & 0o777).toBe(0o600);
  // The proxy's alone stays, where whoever uses a proxy has it.
  const places = await image.filesWith("pa ss'word");
  expect(places).toEqual([join(image.path, "etc/rhsm/rhsm.conf")]);
});

test.each([
  [70, "Invalid Credentials (HTTP error code 401: Unauthorized)", "license-refused", "configuration"],
  [69, "Unable to reach the server at h:443/subscription", "license-server-unavailable", "retry"],
  [65, "Consumer identity either does not exist or is corrupted.", "license-failed", "failed"],
] as const)("subscription-manager's own words are told: %i, %s", async (exit, says, code, kind) => {
  const { error, seen } = await failing({ exit, says: `${says} (${key})` });
  expect(error).toMatchObject({
    code,
    kind,
    message: expect.stringContaining(`subscription-manager failed (exit ${exit}): Registering with [hidden] | ${says}`),
  });
  expect(String(error)).not.toContain("k3y-of");
  expect(seen.map(({ command }) => command)).toEqual(["register", "clean"]);
});

test("a half-made registration is taken back", async () => {
  await using image = await LicensedImage.make({ exit: 70, says: "no", half: true });
  const { lines, error } = await attempt(image, byKey);
  expect(error).toMatchObject({ code: "license-failed" });
  expect((await image.seen()).map(({ command }) => command)).toEqual(["register", "unregister", "clean"]);
  expect(lines).toContain("System has been unregistered.");
  await expect(image.read("/etc/pki/consumer/cert.pem")).rejects.toThrow();
});

test("one that the server does not take back is told", async () => {
  await using image = await LicensedImage.make({ exit: 70, says: "no", half: true, unreachable: true });
  const { lines } = await attempt(image, byKey);
  expect(lines).toContain("the system stays registered on the server: remove it there");
  await expect(image.read("/etc/pki/consumer/cert.pem")).rejects.toThrow();
});

test("an interruption takes it back too", async () => {
  await using image = await LicensedImage.make({ waits: true, half: true });
  const interruption = new AbortController();
  const step = stepOf(image, byKey);
  const running = register(step, {
    signal: interruption.signal,
    onLine: (line) => line === "waiting" && interruption.abort(),
  });
  await expect(running).rejects.toMatchObject({ code: "interrupted" });
  expect((await image.seen()).map(({ command }) => command)).toEqual(["register", "unregister", "clean"]);
});

test("another system's identity in the image is left alone, and told", async () => {
  await using image = await LicensedImage.make();
  await image.put("/etc/pki/consumer/cert.pem", "-----BEGIN\n");
  const { error } = await attempt(image, byKey);
  expect(error).toMatchObject({ code: "image-registered", kind: "configuration" });
  expect(await image.seen()).toEqual([]);
  expect(await image.read("/etc/pki/consumer/cert.pem")).toBe("-----BEGIN\n");
});

test("a job may say to go on without", async () => {
  const { error, lines, seen } = await failing({ exit: 70, says: "no" }, { ...byKey, onFailure: "continue" });
  expect(error).toBeUndefined();
  expect(lines.at(-1)).toMatch(/subscription-manager failed \(exit 70\).*the job says to go on/);
  expect(seen.at(-1)).toMatchObject({ command: "clean" });
});

test("an image without subscription-manager is told of", async () => {
  await using image = await LicensedImage.make();
  await image.put("/usr/sbin/subscription-manager", "#!/bin/sh\n");
  const { error } = await attempt(image, byKey);
  expect(error).toMatchObject({ code: "license-refused", message: expect.stringContaining("is no Python program") });
});

test.each([
  ["clean", ["register", "unregister", "clean"]],
  ["leave", ["register"]],
] as const)("when a later step fails, on-failure %s", async (onFailure, commands) => {
  await using image = await LicensedImage.make();
  await attempt(image, byKey);
  const made = plan(sampleJob(), sampleHardware(), sampleImage());
  const failed = { kind: "commands", name: "later", title: "later", commands: [] } as const;
  const events: Event[] = [];
  // Nothing is mounted at its target: what cleaning up unmounts is not this tree.
  const unmounted = { ...made, target: "/run/metalcast/nothing" };
  await cleanUp(unmounted, [stepOf(image, byKey), failed], onFailure, (event) => void events.push(event));
  expect((await image.seen()).map(({ command }) => command)).toEqual(commands);
  expect(JSON.stringify(events)).not.toContain("k3y-of");
});
