import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Event } from "../../common/event.ts";
import { Secret } from "../../common/secret.ts";
import { createPhoneHomeService, type PhoneHomeService } from "../../installer/phone-home/service.ts";
import { openStore, publish } from "../../mirror/index.ts";
import { type CephS3, startCephS3 } from "../lab/ceph-s3.ts";
import { createServer, type Server } from "../lab/server.ts";
import { castImage, installServer, makeOperator, type Operator, twoDisks } from "./scenario.ts";

/**
 * One image goes through the factory and to two mirrors; two servers are installed from it, one from S3 and one from a directory. The first boots under UEFI, then with each of its
 * disks pulled under either firmware; the second boots under BIOS, where its user's script purges cloud-init.
 */
const cleanup: (() => PromiseLike<void>)[] = [];
let directory: string;
let s3: CephS3;
let operator: Operator;
let phoneHome: PhoneHomeService;
let phoneHomePort: string;

const servers = {
  plain: {
    hostname: "web-1",
    uuid: crypto.randomUUID(),
    userData: "#cloud-config\nwrite_files:\n- { path: /etc/motd, content: 'hello from the job\\n' }\n",
  },
  purging: {
    hostname: "web-2",
    uuid: crypto.randomUUID(),
    userData:
      "#!/bin/sh\nDEBIAN_FRONTEND=noninteractive apt-get purge -y cloud-init\nrm -rf /etc/cloud /var/lib/cloud /run/cloud-init\n",
  },
};
const machines = new Map<keyof typeof servers, Server>();
const bootLimitMs = 12 * 60_000;

function machine(name: keyof typeof servers): Server {
  const server = machines.get(name);
  if (!server) throw new Error(`${name} was not installed`);
  return server;
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "lab-"));
  cleanup.push(() => rm(directory, { recursive: true, force: true }));
  s3 = await startCephS3();
  cleanup.push(() => s3[Symbol.asyncDispose]());
  operator = await makeOperator(directory);
  phoneHome = await createPhoneHomeService({ stateFile: `${directory}/servers.json` });
  const service = await phoneHome.serve({ host: "127.0.0.1", port: 0 });
  cleanup.push(service.close);
  phoneHomePort = new URL(service.url).port;
});

afterAll(async () => {
  for (const undo of cleanup.reverse()) await undo();
});

async function makeServer(name: keyof typeof servers): Promise<Server> {
  const server = await createServer({ name, directory: `${directory}/${name}`, disks: twoDisks, memoryMiB: 2048 });
  cleanup.push(() => server[Symbol.asyncDispose]());
  machines.set(name, server);
  return server;
}

async function makeJob(name: keyof typeof servers, mirror: string) {
  const { hostname, uuid, userData } = servers[name];
  return {
    job: {
      image: "debian-12",
      mirror,
      disks: { count: 2 },
      storage: "raid1",
      instance: { hostname, uuid, sshKeys: [operator.publicKey], userData: "user-data" },
      phoneHome: { url: `http://10.0.2.2:${phoneHomePort}/phone-home`, tokenFile: "token" },
      kernelArguments: ["console=tty0", "console=ttyS0,115200"],
      after: "nothing",
    },
    files: { "user-data": userData, token: new Secret(await phoneHome.expect(uuid)).reveal() },
  };
}

describe("from the vendor's image to two mirrors", () => {
  test("the factory's image is published to S3 and to a directory, as the same version", async () => {
    const bucket = await s3.createBucket();
    const { endpoint, credentials } = s3;
    const store = openStore(`s3://${bucket}`, { s3: { endpoint, credentials } });
    const published = await castImage(directory, store, () => {});
    expect(published).toMatchObject({ name: "debian-12", channel: "stable", channelMoved: true });
    await mkdir(`${directory}/mirror`);
    const again = await publish(openStore(`file://${directory}/mirror`), `${directory}/image`, { emit: () => {} });
    expect(again.manifestSha256).toBe(published.manifestSha256);

    const server = await makeServer("plain");
    const events: Event[] = [];
    const { exitCode, messages } = await installServer(
      server,
      {
        ...(await makeJob("plain", `s3://${bucket}`)),
        prefix: ["env", `AWS_ENDPOINT_URL_S3=http://10.0.2.2:${new URL(endpoint).port}`],
        rescueFiles: {
          "/root/.aws/credentials": `[default]\naws_access_key_id = ${credentials.accessKeyId}\naws_secret_access_key = ${credentials.secretAccessKey}\n`,
        },
        hostPorts: [Number(new URL(endpoint).port)],
      },
      (event) => events.push(event),
    );
    expect({ exitCode, messages }).toEqual({ exitCode: 0, messages: [] });
    expect(events.at(-1)?.kind).toBe("operation-finished");
    const kinds = (kind: Event["kind"]) => events.filter((event) => event.kind === kind).length;
    expect(kinds("step-started")).toBe(kinds("step-finished"));
    expect(JSON.stringify(events)).not.toContain(credentials.secretAccessKey);
  });

  test("a second server is installed from the directory", async () => {
    const { exitCode, messages } = await installServer(
      await makeServer("purging"),
      { ...(await makeJob("purging", "file:///srv/mirror")), shares: { "/srv/mirror": `${directory}/mirror` } },
      () => {},
    );
    expect({ exitCode, messages }).toEqual({ exitCode: 0, messages: [] });
  });
});

describe.concurrent("first boots", () => {
  test("under UEFI: cloud-init did what the job said, and the server phoned home", async () => {
    await using booted = await machine("plain").boot({ firmware: "uefi" });
    const report = await Promise.race([
      phoneHome.waitFor(servers.plain.uuid, { timeoutMs: bootLimitMs }),
      booted.exit.then(() => Promise.reject(new Error("the server went off"))),
    ]);
    expect(report).toMatchObject({ hostname: "web-1", instanceId: servers.plain.uuid, cloudInit: "done" });
    const ask = async (command: string) => (await booted.ssh("debian", operator.keyFile, command)).stdout;
    expect(await ask("cat /etc/motd")).toBe("hello from the job");
    expect(await ask("findmnt -no FSTYPE,SOURCE /")).toMatch(/^ext4\s+\/dev\/md/);
    expect(await ask("cat /proc/mdstat")).toContain("[UU]");
    expect(await ask("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub | cut -d' ' -f2")).toBe(
      report.sshHostKeys.find((key) => key === report.sshHostKeys.at(-1)) ?? "",
    );
    expect(await ask("ls /etc/systemd/system/multi-user.target.wants; ls /usr/local/lib")).not.toContain("metalcast");
    await booted.powerOff(bootLimitMs);
  });

  test("under BIOS: the phone home arrives although the user's script purges cloud-init", async () => {
    await using booted = await machine("purging").boot({ firmware: "bios" });
    const report = await Promise.race([
      phoneHome.waitFor(servers.purging.uuid, { timeoutMs: bootLimitMs }),
      booted.exit.then(() => Promise.reject(new Error("the server went off"))),
    ]);
    expect(report).toMatchObject({ hostname: "web-2", cloudInit: "removed" });
    await expect(booted.ssh("debian", operator.keyFile, "command -v cloud-init")).rejects.toMatchObject({
      code: "command-failed",
    });
    await booted.powerOff(bootLimitMs);
  });
});

describe.concurrent("with one disk pulled", () => {
  const cases = (["uefi", "bios"] as const).flatMap((firmware) => [0, 1].map((removed) => ({ firmware, removed })));

  test.each(cases)("$firmware, without disk $removed, the server comes up", async ({ firmware, removed }) => {
    await using booted = await machine("plain").boot({ firmware, removedDisks: [removed], snapshot: true });
    await booted.waitForLine(/Debian GNU\/Linux 12 web-1 ttyS0/, bootLimitMs);
    const { stdout } = await booted.ssh(
      "debian",
      operator.keyFile,
      "cat /proc/mdstat; hostname; ls -d /sys/firmware/efi",
    );
    expect(stdout).toMatch(/\[(U_|_U)\]/);
    expect(stdout).toContain("web-1");
  });
});
