import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Event } from "../../common/event.ts";
import { openStore } from "../../mirror/index.ts";
import { type CephS3, startCephS3 } from "../lab/ceph-s3.ts";
import type { Server } from "../lab/server.ts";
import { castImage, debian12, installServer } from "./scenario.ts";
import { buildCachedParts, openStage, type Stage } from "./stage.ts";

/**
 * An image goes through the factory and to an S3 mirror; a server is installed from it, boots under UEFI, then without
 * one or the other of its disks. The matrix has every disk under either firmware.
 */
const instance = {
  hostname: "web-1",
  uuid: crypto.randomUUID(),
  userData: '#cloud-config\nwrite_files:\n- { path: /etc/motd, content: "hello from the job\\n" }\n',
};
const bootLimitMs = 20 * 60_000;

let stage: Stage;
let s3: CephS3;
let bucket: string;
let server: Server;

beforeAll(async () => {
  [s3] = await Promise.all([startCephS3(), buildCachedParts(debian12)]);
  bucket = await s3.createBucket();
  stage = await openStage();
  server = await stage.makeServer("plain");
});

afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
  await s3?.[Symbol.asyncDispose]();
});

test("the factory's image is published to S3", async () => {
  const { endpoint, credentials } = s3;
  const store = await stage.makeMirror(openStore(`s3://${bucket}`, { s3: { endpoint, credentials } }));
  const published = await castImage(debian12, stage.directory, store, () => {});
  expect(published).toMatchObject({ name: "debian-12", channel: "stable", channelMoved: true });
});

test("a server is installed from S3", async () => {
  const { port } = new URL(s3.endpoint);
  const { accessKeyId, secretAccessKey } = s3.credentials;
  const events: Event[] = [];
  const installation = {
    ...(await stage.makeJob(instance, `s3://${bucket}`)),
    prefix: ["env", `AWS_ENDPOINT_URL_S3=http://10.0.2.2:${port}`],
    rescueFiles: {
      "/root/.aws/credentials": `[default]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`,
    },
    hostPorts: [Number(port)],
  };
  const outcome = await installServer(server, installation, (event) => events.push(event));
  expect(outcome).toEqual({ exitCode: 0, messages: [] });
  expect(events.at(-1)?.kind).toBe("operation-finished");
  const count = (kind: Event["kind"]) => events.filter((event) => event.kind === kind).length;
  expect(count("step-started")).toBe(count("step-finished"));
  expect(JSON.stringify(events)).not.toContain(secretAccessKey);
});

test("under UEFI: cloud-init did what the job said, and the server phoned home", async () => {
  await using booted = await server.boot({ firmware: "uefi" });
  const report = await stage.waitForReport(instance, booted);
  expect(report).toMatchObject({ hostname: "web-1", instanceId: instance.uuid, cloudInit: "done", sshd: "answers" });
  const ask = async (command: string) => (await booted.ssh("debian", stage.keyFile, command)).stdout;
  expect(await ask("cat /etc/motd")).toBe("hello from the job");
  expect(await ask("findmnt -no FSTYPE,SOURCE /")).toMatch(/^ext4\s+\/dev\/md/);
  expect(await ask("cat /proc/mdstat")).toContain("[UU]");
  const fingerprint = await ask("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub | cut -d' ' -f2");
  expect(report.sshHostKeys).toContain(fingerprint);
  const left = await ask("ls /etc/systemd/system/multi-user.target.wants /usr/local/lib");
  expect(left).not.toContain("metalcast-phone-home");
  expect(await ask("sudo systemctl start metalcast-esp-sync && systemctl show -P Result metalcast-esp-sync")).toBe(
    "success",
  );
  const watch =
    "systemctl is-active metalcast-esp-sync.path || systemctl status --no-pager metalcast-esp-sync.path boot-efi.mount";
  expect(await ask(`${watch}; true`)).toBe("active");
  await booted.powerOff(bootLimitMs);
});

/**
 * These servers were installed without firmware in sight, so they have no boot entries of their own, and OVMF's are no
 * help: losing a disk renames the other, and a renamed disk goes behind network boot and the firmware's shell. A
 * firmware without any entries finds the fallback path. The installer's own entries are the matrix's business.
 */
describe("with one disk pulled", () => {
  const cases = [
    { firmware: "uefi", removed: 0 },
    { firmware: "bios", removed: 1 },
  ] as const;

  test.each(cases)("$firmware, without disk $removed, the server comes up", async ({ firmware, removed }) => {
    const pulled = { removedDisks: [removed], snapshot: true, forgetEntries: true };
    await using booted = await server.boot({ firmware, ...pulled });
    const look = "hostname; cat /proc/mdstat /etc/motd; test -d /sys/firmware/efi; echo efi $?";
    const { stdout } = await booted.sshWhenUp("debian", stage.keyFile, look, bootLimitMs);
    expect(stdout).toContain("web-1");
    expect(stdout).toMatch(/\[(U_|_U)\]/);
    expect(stdout).toContain("hello from the job");
    expect(stdout).toContain(firmware === "uefi" ? "efi 0" : "efi 1");
  });
});
