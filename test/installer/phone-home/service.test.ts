import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Event } from "../../../common/event.ts";
import { Secret } from "../../../common/secret.ts";
import { expectPhoneHome, waitForPhoneHome } from "../../../installer/phone-home/client.ts";
import type { PhoneHomeReport } from "../../../installer/phone-home/report.ts";
import { createPhoneHomeService, type PhoneHomeService } from "../../../installer/phone-home/service.ts";
import { report } from "./report.ts";
import { freePort } from "./scratch-root.ts";

const operatorToken = new Secret("operator-secret");
const timeoutMs = 30_000;

let directory: string;
let stateFile: string;
let events: Event[];
let service: PhoneHomeService;
let url: string;
let close: () => Promise<void>;

async function start(port = 0): Promise<void> {
  service = await createPhoneHomeService({ stateFile, operatorToken, emit: (event) => events.push(event) });
  ({ url, close } = await service.serve({ host: "127.0.0.1", port }));
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "phone-home-test-"));
  stateFile = join(directory, "state.json");
  events = [];
  await start();
});
afterEach(async () => {
  await close();
  await rm(directory, { recursive: true });
});

async function phoneHome(token: string, body: unknown = report()): Promise<number> {
  const response = await fetch(`${url}phone-home`, {
    method: "POST",
    headers: token ? { authorization: `Bearer ${token}` } : {},
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  await response.arrayBuffer();
  return response.status;
}

describe("who is heard", () => {
  test("an expected server, once; its repetition is fine, another boot's is not, and neither changes the report", async () => {
    const token = await service.expect("server-1");
    const otherBoot = "11111111-2b38-4cda-8e06-be26d1266120";
    expect(await phoneHome(token)).toBe(200);
    expect(await phoneHome(token, report({ hostname: "changed" }))).toBe(200);
    expect(await phoneHome(token, report({ bootId: otherBoot, hostname: "changed" }))).toBe(410);
    expect(await service.waitFor("server-1", { timeoutMs: 0 })).toEqual(report());
  });

  test("nobody else, and no answer tells why", async () => {
    const token = await service.expect("server-1");
    const stranger = await service.expect("server-2");
    expect(await phoneHome("")).toBe(401);
    expect(await phoneHome(`${token}x`)).toBe(401);
    expect(await phoneHome(stranger)).toBe(401);
    await expect(service.waitFor("server-1", { timeoutMs: 0 })).rejects.toMatchObject({ code: "phone-home-timeout" });
  });

  test("a server expected anew needs the new token", async () => {
    const old = await service.expect("server-1");
    expect(await phoneHome(old)).toBe(200);
    const token = await service.expect("server-1");
    expect(await phoneHome(old)).toBe(401);
    expect(await phoneHome(token)).toBe(200);
  });

  test.each([
    ["no JSON", "{", 400],
    ["wrong fields", report({ sshHostKeys: ["MD5:x"], cloudInit: "odd" as PhoneHomeReport["cloudInit"] }), 400],
    ["too much", { ...report(), more: "x".repeat(20_000) }, 413],
  ])("%s is refused, and the server may try again", async (_, body, status) => {
    const token = await service.expect("server-1");
    expect(await phoneHome(token, body)).toBe(status);
    expect(await phoneHome(token)).toBe(200);
  });

  test("an id that could not stand in an address is no id", async () => {
    await expect(service.expect("../x")).rejects.toMatchObject({ code: "phone-home-id-invalid" });
  });
});

describe("what is kept", () => {
  test("tokens and reports outlive a restart; the file holds no token and is its owner's alone", async () => {
    const token = await service.expect("server-1");
    const later = await service.expect("server-2");
    expect(await phoneHome(token)).toBe(200);
    await close();
    await start();
    expect(await service.waitFor("server-1", { timeoutMs: 0 })).toEqual(report());
    expect(await phoneHome(later, report({ instanceId: "server-2" }))).toBe(200);

    const everything = (await readFile(stateFile, "utf8")) + JSON.stringify(events);
    for (const secret of [token, later, operatorToken.reveal()]) expect(everything).not.toContain(secret);
    expect((await stat(stateFile)).mode & 0o777).toBe(0o600);
    expect(await readdir(directory)).toEqual(["state.json"]);
  });

  test("many servers at once are all kept", async () => {
    const ids = Array.from({ length: 20 }, (_, index) => `server-${index}`);
    const tokens = await Promise.all(ids.map((id) => service.expect(id)));
    const statuses = await Promise.all(
      tokens.map((token, index) => phoneHome(token, report({ instanceId: ids[index] ?? "" }))),
    );
    expect(new Set(statuses)).toEqual(new Set([200]));
    await close();
    await start();
    for (const id of ids) expect(await service.waitFor(id, { timeoutMs: 0 })).toMatchObject({ instanceId: id });
  });

  test("a damaged file is an error, not an empty list", async () => {
    await writeFile(stateFile, '{"version":1,"servers":[{"instanceId"');
    await expect(createPhoneHomeService({ stateFile })).rejects.toMatchObject({ code: "phone-home-state-invalid" });
  });
});

describe("waiting", () => {
  const access = () => ({ url, operatorToken });

  test("in the same process: for a report, in vain, interrupted, for nobody", async () => {
    const token = await service.expect("server-1");
    const waiting = service.waitFor("server-1", { timeoutMs });
    expect(await phoneHome(token)).toBe(200);
    expect(await waiting).toEqual(report());
    await service.expect("server-1");
    await expect(service.waitFor("server-1", { timeoutMs: 1 })).rejects.toMatchObject({ code: "phone-home-timeout" });
    const signal = AbortSignal.abort();
    await expect(service.waitFor("server-1", { timeoutMs, signal })).rejects.toMatchObject({ code: "interrupted" });
    await expect(service.waitFor("x", { timeoutMs })).rejects.toMatchObject({ code: "phone-home-unknown-server" });
  });

  test("over HTTP, through a restart of the service", async () => {
    const token = (await expectPhoneHome(access(), "server-1")).reveal();
    const port = Number(new URL(url).port);
    const waiting = waitForPhoneHome(access(), "server-1", { timeoutMs });
    await close();
    await start(port);
    expect(await phoneHome(token)).toBe(200);
    expect(await waiting).toEqual(report());
  });

  test("over HTTP: in vain, for nobody, with a wrong token, of no service", async () => {
    const wait = (changes: object, id = "server-1", limitMs = timeoutMs) =>
      waitForPhoneHome({ ...access(), ...changes }, id, { timeoutMs: limitMs });
    await service.expect("server-1");
    const denied = { code: "phone-home-denied" };
    await expect(wait({}, "server-1", 1)).rejects.toMatchObject({ code: "phone-home-timeout" });
    await expect(wait({}, "x")).rejects.toMatchObject({ code: "phone-home-unknown-server" });
    await expect(wait({ operatorToken: new Secret("x") })).rejects.toMatchObject(denied);
    await expect(expectPhoneHome({ url, operatorToken: new Secret("x") }, "server-1")).rejects.toMatchObject(denied);
    const nowhere = { url: `http://127.0.0.1:${await freePort()}/`, operatorToken };
    await expect(expectPhoneHome(nowhere, "server-1")).rejects.toMatchObject({
      code: "phone-home-unreachable",
      kind: "retry",
    });
  });

  test("a server's token opens nothing of the operator's, nor is there anything without an operator token", async () => {
    const token = new Secret(await service.expect("server-1"));
    await expect(expectPhoneHome({ url, operatorToken: token }, "server-2")).rejects.toMatchObject({
      data: { status: 401 },
    });
    const closed = await createPhoneHomeService({ stateFile: join(directory, "other.json") });
    const other = await closed.serve({ host: "127.0.0.1", port: 0 });
    await expect(expectPhoneHome({ url: other.url, operatorToken }, "x")).rejects.toMatchObject({
      data: { status: 404 },
    });
    await other.close();
  });

  test("a port that is taken is named", async () => {
    const port = Number(new URL(url).port);
    await expect(service.serve({ host: "127.0.0.1", port })).rejects.toMatchObject({
      code: "phone-home-not-listening",
    });
  });
});
