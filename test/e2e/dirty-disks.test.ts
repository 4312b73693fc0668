import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createServer, type Server } from "../lab/server.ts";
import { labelsProgram } from "./labels-program.ts";
import { bundleWipeProgram } from "./wipe-program.ts";

/** Each case makes two of three disks dirty in a rescue system with real md, LVM and LUKS, and wipes them. */
let directory: string;
let server: Server;
let transcript: string[];

const mebibyte = 2 ** 20;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "lab-"));
  const disks = [256, 256, 48].map((size, index) => ({ serial: `LAB${index}`, sizeBytes: size * mebibyte }));
  server = await createServer({ name: "dirty-disks", directory: `${directory}/server`, disks, memoryMiB: 1024 });
  const { lines } = await server.runRescue({
    command: ["/root/job/run"],
    files: {
      "/root/job/run": await readFile(new URL("./dirty-disks.sh", import.meta.url), "utf8"),
      "/root/job/wipe.mjs": await bundleWipeProgram(),
      "/root/job/labels.mjs": labelsProgram,
      "/root/job/key": "a key",
    },
    timeoutMs: 35 * 60_000,
  });
  transcript = lines;
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const told = (name: string) => transcript.find((line) => line.startsWith(`${name}: `));

test("every disk was made dirty as it was meant to be", () => {
  expect(transcript.filter((line) => line.startsWith("setup failed"))).toEqual([]);
  expect(transcript).toEqual(expect.arrayContaining(["resync", "zfs_member", "bcache", "bcache is active"]));
});

test.each([
  "md-1.2-and-degraded",
  "md-1.0-and-0.90",
  "md-resyncing",
  "lvm-of-the-same-name",
  "luks-and-swap",
  "btrfs",
  "zfs-and-bcache",
  "tables",
  "shared",
  "zero",
])("%s is gone, and the third disk is as it was", (name) => {
  expect(told(name), transcript.join("\n")).toBe(`${name}: 0, foreign kept, 1 foreign volume`);
});

test.each([
  ["md-1.2-refused", 6, /disk-held: refusing to wipe .*\/dev\/md\d+ is mounted on \/mnt\/old/],
  ["shared-refused", 6, /storage-spans-other-disks: .*array elsewhere:shared also lies on .*LAB2/],
  ["secure", 3, /wipe-depth-unsupported: .*neither an NVMe drive/],
  ["discard", 3, /wipe-depth-unsupported: .*takes no discards/],
])("%s", (name, exitCode, message) => {
  expect(told(name), transcript.join("\n")).toBe(`${name}: ${exitCode}, foreign kept, 1 foreign volume`);
  expect(transcript[transcript.indexOf(told(name) ?? "") - 1]).toMatch(message);
});

test("no array came back while it was taken apart, though udev assembles what it sees", () => {
  const before = (name: string) => transcript[transcript.indexOf(told(name) ?? "") - 1];
  expect(before("md-1.2-and-degraded")).toBe("stopped 2 arrays");
  expect(before("md-1.0-and-0.90")).toBe("stopped 2 arrays");
  expect(before("md-resyncing")).toBe("stopped 1 arrays");
});

test("zeros are all that is left of a disk that is overwritten", () => {
  expect(transcript).toContain("0 bytes are left");
});
