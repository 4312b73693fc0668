import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createServer, type Server } from "../../lab/server.ts";
import { bundleWipeProgram } from "../wipe-program.ts";

/** `wipe.depth: discard` on drives that take discards, which those of User Mode Linux do not: QEMU frees their blocks. */
const mebibyte = 2 ** 20;
const drives = [
  { serial: "LAB0", bus: "scsi", path: "/dev/sda" },
  { serial: "LAB1", bus: "nvme", path: "/dev/nvme0n1" },
] as const;

let directory: string;
let server: Server;
let transcript: string[];

const script = `#!/bin/bash
left() { tr -d '\\0' <"$1" | wc -c; }
for disk in ${drives.map(({ path }) => path).join(" ")}; do
  head -c 64M /dev/urandom >$disk
  sync $disk
  echo "$disk, before: $(left $disk)"
  node /root/job/wipe.mjs refuse discard $disk </dev/null
  echo "$disk, wiped: $?"
  echo "$disk, after: $(left $disk)"
done
`;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "lab-"));
  const disks = drives.map(({ serial, bus }) => ({ serial, bus, sizeBytes: 256 * mebibyte }));
  server = await createServer({ name: "discard", directory: `${directory}/server`, disks, memoryMiB: 1024 });
  const { lines } = await server.bootRescue({
    firmware: "bios",
    command: ["/root/job/run"],
    files: { "/root/job/run": script, "/root/job/wipe.mjs": await bundleWipeProgram() },
    timeoutMs: 30 * 60_000,
  });
  transcript = lines;
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

test.each(drives)("$bus: nothing of it is left, neither for the server nor on the drive", async ({ serial, path }) => {
  const told = (what: string) =>
    Number(transcript.find((line) => line.startsWith(`${path}, ${what}: `))?.split(": ")[1]);
  expect(told("before"), transcript.join("\n")).toBeGreaterThan(60 * mebibyte);
  expect(told("wiped"), transcript.join("\n")).toBe(0);
  expect(told("after")).toBe(0);
  const file = server.hardware.disks.find((disk) => disk.serial === serial)?.file ?? expect.unreachable();
  // The first and the last MiB are zeros that were written.
  expect((await stat(file)).blocks * 512).toBeLessThanOrEqual(4 * mebibyte);
});
