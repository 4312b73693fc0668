import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer as createWebServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort } from "../lab/loopback.ts";
import { createServer } from "../lab/server.ts";

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "metalcast-lab-"));
});

afterAll(() => rm(directory, { recursive: true }));

const disks = ["LAB0", "LAB1"].map((serial) => ({ serial, sizeBytes: 64 * 2 ** 20 }));
const byId = "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_";

/** What every rescue system must give to the installer, whichever machine runs it; on the right what it says then. */
const probe = (port: number) => `#!/bin/bash
lsblk --nodeps --noheadings --output NAME,SERIAL /dev/sda /dev/sdb
curl --silent --show-error http://10.0.2.2:${port}/
cat /srv/shared/note
touch /srv/shared/forbidden 2>/dev/null || echo read-only
mdadm --create /dev/md/lab --quiet --run --level=1 --raid-devices=2 ${byId}LAB0 ${byId}LAB1
mdadm --stop --quiet /dev/md/lab
metalcast --version
exit 7
`;

test("a rescue system sees the disks by serial, the host's services and shares; what one start writes to disk the next one finds", async () => {
  await using server = await createServer({
    name: "rescued",
    directory: join(directory, "rescued"),
    disks,
    memoryMiB: 1024,
  });
  const port = await freePort();
  const web = createWebServer((_, response) => response.end("served\n")).listen(port, "127.0.0.1");
  await once(web, "listening");
  await writeFile(join(directory, "note"), "shared\n");

  const quick = await server.runRescue({
    command: ["/root/probe"],
    files: { "/root/probe": probe(port) },
    shares: { "/srv/shared": directory },
    hostPorts: [port],
    timeoutMs: 10 * 60_000,
  });
  expect(quick).toEqual({
    lines: ["sda  LAB0", "sdb  LAB1", "served", "shared", "read-only", expect.stringMatching(/^\d+\.\d+\.\d+$/)],
    exitCode: 7,
  });

  const reference = await server.bootRescue({
    firmware: "uefi",
    command: [
      "sh",
      "-c",
      `ls -d /sys/firmware/efi; mdadm --examine --brief ${byId}LAB1; curl -s http://10.0.2.2:${port}/`,
    ],
    timeoutMs: 10 * 60_000,
  });
  expect(reference.exitCode).toBe(0);
  expect(reference.lines).toEqual(["/sys/firmware/efi", expect.stringContaining("ARRAY /dev/md/lab"), "served"]);
  web.close();
});

test("a power cut stops the server where it is", async () => {
  await using server = await createServer({ name: "cut", directory: join(directory, "cut"), disks, memoryMiB: 512 });
  const power = new AbortController();
  const { exitCode } = await server.runRescue({
    command: ["sh", "-c", "echo working; sleep 1000"],
    onLine: () => power.abort(),
    signal: power.signal,
    timeoutMs: 10 * 60_000,
  });
  expect(exitCode).toBeUndefined();
});
