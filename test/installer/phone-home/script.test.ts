import { access, lstat, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Secret } from "../../../common/secret.ts";
import { phoneHomeFiles } from "../../../installer/phone-home/files.ts";
import { createPhoneHomeService, type PhoneHomeService } from "../../../installer/phone-home/service.ts";
import { report } from "./report.ts";
import { freePort, makeScratchRoot, type ScratchRoot, waitForLine } from "./scratch-root.ts";

const instanceUuid = "b4b0ac8d-6f4f-4d0a-9d5c-0a4a3f7d1c11";
const installed = phoneHomeFiles({ url: "http://x/", token: new Secret("x"), instanceUuid }).map(({ path }) => path);
const timeoutMs = 40_000;

let directory: string;
let service: PhoneHomeService;
let root: ScratchRoot;
let cleanUp: (() => Promise<unknown>)[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "phone-home-test-"));
  cleanUp = [() => rm(directory, { recursive: true })];
  service = await createPhoneHomeService({ stateFile: join(directory, "state.json") });
});
afterEach(async () => {
  for (const step of cleanUp.reverse()) await step();
});

async function serve(port = 0): Promise<string> {
  const { url, close } = await service.serve({ host: "127.0.0.1", port });
  cleanUp.push(close);
  return url;
}

async function install(url: string, token?: string): Promise<void> {
  root = await makeScratchRoot({ url, token: new Secret(token ?? (await service.expect(instanceUuid))), instanceUuid });
  cleanUp.push(() => root.remove());
}

const remaining = async () => {
  const present = await Promise.all(
    installed.map((path) =>
      lstat(root.path(path)).then(
        () => [path],
        () => [],
      ),
    ),
  );
  return present.flat();
};

test("waits for cloud-init, logins and sshd one after the other, reports, and leaves no trace", async () => {
  await install(`${await serve()}phone-home`);
  await root.write("/run/cloud-final", "Job=17\nActiveState=inactive\n");
  await root.write("/run/nologin", "");
  const exitCode = root.start();
  await waitForLine(root, "phone home waits: cloud-init is at work");
  await root.write("/run/cloud-final", "Job=\nActiveState=active\n");
  await waitForLine(root, "phone home waits: logins are not allowed yet");
  await rm(root.path("/run/nologin"));
  await waitForLine(root, "phone home waits: sshd does not answer");
  await root.write("/run/start-sshd", "");

  expect(await service.waitFor(instanceUuid, { timeoutMs })).toMatchObject({
    instanceId: instanceUuid,
    hostname: "web-1",
    sshd: "answers",
    sshHostKeys: [root.fingerprint],
    cloudInit: "done",
  });
  expect(await exitCode).toBe(0);
  expect(root.lines.at(-1)).toBe("metalcast: phone home accepted");
  expect(await remaining()).toEqual([]);
  await expect(access(root.path("/usr/local/lib/metalcast-phone-home"))).rejects.toThrow();
  expect((await root.systemctlCalls()).at(-1)).toBe("daemon-reload");
});

test("without the client's ssh-keyscan, sshd's socket and its keys' files tell", async () => {
  await install(`${await serve()}phone-home`);
  await root.hide("/usr/bin/ssh-keyscan");
  const exitCode = root.start();
  await waitForLine(root, "phone home waits: sshd does not answer");
  await root.write("/run/start-sshd", "");
  const found = await service.waitFor(instanceUuid, { timeoutMs });
  expect(found).toMatchObject({ sshd: "answers", sshHostKeys: [root.fingerprint] });
  expect(await exitCode).toBe(0);
});

test("sshd's newer way to write its settings is understood", async () => {
  await install(`${await serve()}phone-home`);
  const sshd = `#!/bin/sh\n/usr/sbin/sshd "$@" | sed 's/^listenaddress/ListenAddress/; s/^hostkey/HostKey/'\n`;
  await root.write("/usr/local/sbin/sshd", sshd, 0o755);
  await root.write("/run/start-sshd", "");
  expect(await root.start()).toBe(0);
  expect(await service.waitFor(instanceUuid, { timeoutMs })).toMatchObject({ sshHostKeys: [root.fingerprint] });
});

test("a first-boot script that removes cloud-init is waited for", async () => {
  await install(`${await serve()}phone-home`);
  await root.write("/run/cloud-final", "Job=\nActiveState=activating\n");
  await root.write("/run/start-sshd", "");
  const userScript = `#!/bin/sh
until [ -e /usr/local/lib/metalcast-phone-home/cloud-init-seen ]; do sleep 0.1; done
rm -rf /usr/bin/cloud-init /run/cloud-init /etc/cloud /var/lib/cloud
echo ActiveState=failed >/run/cloud-final
until [ -e /run/finish ]; do sleep 0.1; done
`;
  await root.write("/usr/bin/cloud-init", "#!/bin/sh\n", 0o755);
  await root.write("/var/lib/cloud/instance/scripts/part-001", userScript, 0o755);
  const exitCode = root.start();
  await vi.waitFor(() => expect(access(root.path("/var/lib/cloud"))).rejects.toThrow(), { timeout: timeoutMs });
  // Twice more it has looked, and both times it saw that the script is still there.
  const calls = (await root.systemctlCalls()).length;
  await vi.waitFor(async () => expect((await root.systemctlCalls()).length).toBeGreaterThan(calls + 2), {
    timeout: timeoutMs,
  });
  await root.write("/run/finish", "");
  expect(await service.waitFor(instanceUuid, { timeoutMs })).toMatchObject({ cloudInit: "removed" });
  expect(await exitCode).toBe(0);
  expect(await remaining()).toEqual([]);
});

test("an unreachable and then failing service is tried again until it takes the report", async () => {
  const port = await freePort();
  await install(`http://127.0.0.1:${port}/phone-home`);
  await root.write("/run/start-sshd", "");
  const exitCode = root.start();
  await waitForLine(root, "phone home failed (HTTP 000)");
  // A service that cannot write its state answers 500.
  await rename(directory, `${directory}.away`);
  await serve(port);
  await waitForLine(root, "phone home failed (HTTP 500)");
  await rename(`${directory}.away`, directory);
  expect(await exitCode).toBe(0);
  expect(await service.waitFor(instanceUuid, { timeoutMs: 0 })).toMatchObject({ hostname: "web-1" });
});

test("a refusal ends this boot's attempt and keeps everything for the next boot", async () => {
  await install(`${await serve()}phone-home`, "wrong-token");
  await root.write("/run/start-sshd", "");
  expect(await root.start()).toBe(1);
  expect(root.lines.at(-1)).toBe("metalcast: phone home refused (HTTP 401), next attempt at the next boot");
  expect(await remaining()).toEqual(installed);
});

test("a report whose acceptance an earlier boot did not see ends in removal", async () => {
  const token = await service.expect(instanceUuid);
  const url = `${await serve()}phone-home`;
  const headers = { authorization: `Bearer ${token}` };
  await fetch(url, { method: "POST", headers, body: JSON.stringify(report({ instanceId: instanceUuid })) });
  await install(url, token);
  await root.write("/run/start-sshd", "");
  expect(await root.start()).toBe(0);
  expect(root.lines.at(-1)).toBe("metalcast: phone home was accepted before");
  expect(await remaining()).toEqual([]);
});

test("odd characters arrive as they are; cloud-init's errors and absent sshd are told", async () => {
  await install(`${await serve()}phone-home?note="a b"\\`);
  await root.write("/run/cloud-init/result.json", '{"v1": {"datasource": null, "errors": [\n "x"\n]}}');
  await root.write("/usr/sbin/sshd", "", 0o644);
  await root.write("/usr/bin/cloud-init", "#!/bin/sh\n", 0o755);
  expect(await root.start('we"ird \\ n$(id)ame')).toBe(0);
  expect(await service.waitFor(instanceUuid, { timeoutMs: 0 })).toMatchObject({
    hostname: 'we"ird \\ n$(id)ame',
    sshd: "absent",
    sshHostKeys: [],
    cloudInit: "error",
  });
});

test("a token or an address that could break out of curl's configuration is refused", () => {
  const files = (url: string, token: string) => () => phoneHomeFiles({ url, token: new Secret(token), instanceUuid });
  for (const token of ["", 'a"b', "a\nurl=http://evil/", "a b"]) {
    expect(files("http://x/", token)).toThrow(expect.objectContaining({ code: "phone-home-token-invalid" }));
  }
  for (const url of ["file:///etc/passwd", "x", ""]) {
    expect(files(url, "x")).toThrow(expect.objectContaining({ code: "phone-home-url-invalid" }));
  }
});
