import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inspect } from "node:util";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { Failure } from "../../../common/failure.ts";
import { type Cloud, readCloud } from "../../../factory/openstack/cloud.ts";
import { findImages, uploadImage } from "../../../factory/openstack/images.ts";
import { writePackerEnvironment } from "../../../factory/openstack/packer-environment.ts";
import { CloudSession } from "../../../factory/openstack/session.ts";
import { password, StandInCloud, secret } from "./stand-in-cloud.ts";

let folder: string;
let cloud: StandInCloud;

beforeAll(async () => {
  folder = await mkdtemp("/var/tmp/openstack-");
});
afterAll(() => rm(folder, { recursive: true }));
beforeEach(async () => {
  cloud = await StandInCloud.start(folder);
});
afterEach(() => cloud[Symbol.asyncDispose]());

async function writeClouds(clouds: object, secure?: object): Promise<string> {
  const directory = await mkdtemp(join(folder, "clouds-"));
  await writeFile(join(directory, "clouds.yaml"), stringify({ clouds }));
  if (secure) await writeFile(join(directory, "secure.yaml"), stringify({ clouds: secure }));
  return directory;
}

const reveal = ({ credentials }: Cloud) =>
  Object.fromEntries([...credentials].map(([name, value]) => [name, value.reveal()]));

describe("how to log in to a cloud", () => {
  it("is read from OS_* variables, which may call a project a tenant", async () => {
    const environment = {
      OS_AUTH_URL: "https://auth.example.net/",
      OS_USERNAME: "u",
      OS_PASSWORD: "p",
      OS_TENANT_ID: "t",
    };
    const found = await readCloud({ environment });
    expect(found).toMatchObject({ identityUrl: "https://auth.example.net/v3", interface: "public" });
    expect(reveal(found)).toEqual({ username: "u", password: "p", project_id: "t" });
  });

  it("is read from clouds.yaml, with the secrets of secure.yaml over it", async () => {
    const ovh = {
      auth: { auth_url: "https://auth.example.net/v3", username: "u", project_id: 7 },
      region_name: "GRA",
      interface: "internalURL",
      cacert: "/etc/ca.pem",
    };
    const directory = await writeClouds({ ovh }, { ovh: { auth: { password: "p" } } });
    const found = await readCloud({ environment: { OS_CLOUD: "ovh" }, folders: ["/nonexistent", directory] });
    expect(found).toMatchObject({ region: "GRA", interface: "internal", certificateFile: "/etc/ca.pem" });
    expect(reveal(found)).toEqual({ username: "u", password: "p", project_id: "7" });
    expect(await readCloud({ environment: { OS_CLOUD: "ovh" }, folders: [directory], region: "SBG" })).toMatchObject({
      region: "SBG",
    });
  });

  it.each([
    ["nothing is said", {}, "no auth_url"],
    ["the version is 2", { OS_AUTH_URL: "https://auth.example.net/v2.0" }, "version 2"],
    ["the URL is none", { OS_AUTH_URL: "auth.example.net" }, "not an http or https URL"],
    ["the cloud is unknown", { OS_CLOUD: "there" }, 'no cloud "there"'],
    ["certificates are not checked", { OS_CLOUD: "insecure" }, "not to be checked"],
    ["the file is broken", { OS_CLIENT_CONFIG_FILE: "/etc/hostname", OS_CLOUD: "x" }, "/etc/hostname is not as"],
  ])("is refused where %s", async (_, environment, problem) => {
    const directory = await writeClouds({ insecure: { auth: { auth_url: "https://x.example" }, verify: false } });
    await expect(readCloud({ environment, folders: [directory] })).rejects.toMatchObject({
      code: "cloud-unconfigured",
      kind: "configuration",
      message: expect.stringContaining(problem),
    });
  });

  it("is a failure and nothing else, whatever clouds.yaml holds", async () => {
    const directory = await mkdtemp(join(folder, "any-"));
    const file = join(directory, "clouds.yaml");
    const anything = fc.oneof(
      fc.string(),
      fc.jsonValue().map((value) => stringify({ clouds: { any: value } })),
    );
    await fc.assert(
      fc.asyncProperty(anything, async (text) => {
        await writeFile(file, text);
        const outcome = await readCloud({ environment: { OS_CLOUD: "any" }, folders: [directory] }).catch(
          (error) => error,
        );
        expect(outcome).toBeInstanceOf(Failure);
      }),
      { numRuns: 50 },
    );
  });

  it("shows no secret, and is handed to Packer in a file that only we may read", async () => {
    const found = await readCloud({ environment: cloud.environment });
    expect(inspect(found, { depth: 9 }) + JSON.stringify(found)).not.toContain(password);
    await mkdir(join(folder, "packer"));
    const environment = await writePackerEnvironment(found, join(folder, "packer"));
    expect(Object.values(environment).join()).not.toContain(password);
    const file = environment.OS_CLIENT_CONFIG_FILE ?? "";
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readFile(file, "utf8")).toContain(password);
  });
});

describe("a session", () => {
  const open = async (environment: NodeJS.ProcessEnv) => CloudSession.open(await readCloud({ environment }));
  const base = () => ({ OS_AUTH_URL: cloud.environment.OS_AUTH_URL, OS_REGION_NAME: "GRA" });

  it("is opened with a password, an application credential or a token", async () => {
    await open(cloud.environment);
    await open({ ...base(), OS_APPLICATION_CREDENTIAL_ID: "id", OS_APPLICATION_CREDENTIAL_SECRET: secret });
    expect(cloud.logins).toEqual(["password", "application_credential"]);
    await expect(open({ ...base(), OS_TOKEN: "of another day", OS_PROJECT_ID: "p" })).rejects.toMatchObject({
      code: "cloud-refused",
      kind: "configuration",
    });
  });

  it.each([
    ["a wrong password", { OS_PASSWORD: "hunter2" }, "cloud-refused", "answered 401"],
    ["no password", { OS_PASSWORD: undefined }, "cloud-unconfigured", "neither a user with a password"],
    ["no project", { OS_PROJECT_ID: undefined }, "cloud-unconfigured", "no project"],
    ["nobody there", { OS_AUTH_URL: "http://127.0.0.1:9/" }, "cloud-unreachable", "cannot be reached"],
  ])("is refused with %s", async (_, change, code, problem) => {
    const failure = await open({ ...cloud.environment, ...change }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code, message: expect.stringContaining(problem) });
    expect(inspect(failure)).not.toMatch(/hunter2|correct horse/);
  });

  it("says which service a region lacks", async () => {
    const session = await open({ ...cloud.environment, OS_REGION_NAME: "MOON" });
    await expect(findImages(session, "x")).rejects.toMatchObject({
      code: "cloud-unconfigured",
      message: expect.stringContaining('no public service of the type "image" in the region MOON'),
    });
  });

  it("logs in again once where its token has run out", async () => {
    const session = await open(cloud.environment);
    cloud.expireTokens();
    expect(await findImages(session, "x")).toEqual([]);
    expect(cloud.logins.length).toBe(2);
  });

  it.each([
    [503, "cloud-failed", "retry"],
    [413, "cloud-quota", "retry"],
    [403, "cloud-refused", "configuration"],
    [409, "cloud-answer", "failed"],
    [302, "cloud-answer", "failed"],
  ])("takes the status %i for %s", async (status, code, kind) => {
    const session = await open(cloud.environment);
    cloud.faults = { imageStatus: status };
    await expect(findImages(session, "x")).rejects.toMatchObject({ code, kind });
  });

  it("refuses an answer that is not the documented one", async () => {
    const session = await open(cloud.environment);
    cloud.faults = { imageStatus: 200 };
    await expect(findImages(session, "x")).rejects.toMatchObject({
      code: "cloud-answer",
      message: expect.stringContaining("not as documented"),
    });
  });

  it("sends a file whole, and counts its bytes", async () => {
    const bytes = Buffer.alloc(5 * 2 ** 20 + 1, "0123456789");
    const path = join(folder, "file.raw");
    await writeFile(path, bytes);
    let moved = 0;
    const created: string[] = [];
    const file = { path, format: "raw", name: "mine" } as const;
    const image = await uploadImage(await open(cloud.environment), file, (id) => created.push(id), {
      advance: (count) => {
        moved += count;
      },
    });
    expect(created).toEqual([image.id]);
    expect(cloud.images.get(image.id)?.bytes.equals(bytes)).toBe(true);
    expect(moved).toBe(bytes.length);
  });
});
