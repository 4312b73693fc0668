import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundle } from "../lab/bundle.ts";
import { runQuickest } from "../lab/run-quickest.ts";
import { createServer, type Server } from "../lab/server.ts";

/**
 * Layouts are made for real, each over the one before and the last over itself too: with md, LVM, LUKS and file systems
 * of a kernel, on four disks, up to the mounted target. What is then there is told line by line.
 */
let directory: string;
let server: Server;
let transcript: string[];

const program = new URL("./make-layouts.ts", import.meta.url);
const gibibyte = 2 ** 30;
const last = "everything";
const layouts = ["lvm-raid1", "raid10", "raid5", "luks-raid1", last] as const;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "lab-"));
  const disks = [0, 1, 2, 3].map((index) => ({ serial: `LAB${index}`, sizeBytes: 2 * gibibyte }));
  server = await createServer({ name: "layouts", directory: `${directory}/server`, disks, memoryMiB: 1024 });
  const { lines } = await runQuickest(server, {
    command: ["/usr/bin/node", "/root/job/layouts.mjs", ...layouts, last],
    files: { "/root/job/layouts.mjs": await bundle({ entryPoints: [program.pathname] }) },
    timeoutMs: 35 * 60_000,
  });
  transcript = lines;
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

/** What was told of one layout, each time that it was made. */
function told(layout: string, what: string): string[] {
  const prefix = `${layout} ${what}: `;
  return transcript.filter((line) => line.startsWith(prefix)).map((line) => line.slice(prefix.length));
}

const everyTime = (layout: string, line: string) => (layout === last ? [line, line] : [line]);

describe.each(layouts)("%s", (layout) => {
  test("is made, over what was there before too, and released", () => {
    expect({ failures: told(layout, "failed"), held: told(layout, "held after release") }).toEqual({
      failures: [],
      held: everyTime(layout, "nothing"),
    });
  });

  test("has at least the room that was planned", () => {
    expect(told(layout, "smaller than planned")).toEqual(everyTime(layout, "nothing"));
  });
});

test.each([
  ["lvm-raid1", "/ ext4 lvm"],
  ["raid10", "/ ext4 raid10, /boot ext4 raid1"],
  ["raid5", "/ ext4 raid5, /boot ext4 raid1"],
  ["luks-raid1", "/ ext4 crypt, /boot ext4 raid1"],
  [
    "everything",
    [
      "/ btrfs raid1 @, /boot ext4 raid1, /home btrfs raid1 @home",
      "/srv/fast xfs lvm, /srv/fat vfat lvm, /srv/secret ext4 crypt",
    ].join(", "),
  ],
])("%s is mounted", (layout, mounts) => {
  expect(told(layout, "mounted")).toEqual(everyTime(layout, mounts));
});

test("nothing synchronizes while the server is being installed", () => {
  expect(layouts.flatMap((layout) => told(layout, "sync running"))).toEqual(
    layouts.flatMap((layout) => everyTime(layout, "nothing")),
  );
});

test.each([
  ["raid5", "root", "parity that was made before the image"],
  ["everything", "root", "zeros on all members"],
])("%s: %s is consistent from the start (%s)", (layout, array) => {
  expect(told(layout, `mismatches of ${array}`)).toEqual(everyTime(layout, "0"));
});

test.each(["lvm-raid1", "raid10", "luks-raid1"])("%s: root is consistent once it was assembled again", (layout) => {
  expect(told(layout, "mismatches of root, assembled again")).toEqual(everyTime(layout, "0"));
});

test("lvm-raid1: its first synchronization goes at the speed of the job", () => {
  expect(told("lvm-raid1", "speed of root")).toEqual(["409600 (local)"]);
});

test("a failure leaves nothing mounted, open or assembled", () => {
  expect(transcript).toContain("held after a failure: nothing");
});
