import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { reveal } from "../../common/secret.ts";
import { debianLoader } from "../../installer/boot/debian-loader.ts";
import { espSyncFiles } from "../../installer/boot/esp-sync/files.ts";
import { createServer, type Server } from "../lab/server.ts";
import { twoDisks } from "./stage.ts";

/** The program that keeps the ESPs equal, on real FAT: disks pulled and plugged in, killed, and cut off by a power cut. */
let directory: string;
let server: Server;
let lines: string[];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "lab-"));
  server = await createServer({ name: "esp-sync", directory, disks: twoDisks, memoryMiB: 1024 });
  const programs = [...espSyncFiles([], ["debian"]), ...debianLoader.files].flatMap((file) =>
    "content" in file && file.path.startsWith("/usr/local/lib/") ? [[file.path, reveal(file.content)]] : [],
  );
  const script = await readFile(new URL("./esp-sync.sh", import.meta.url), "utf8");
  const files = { ...Object.fromEntries(programs), "/etc/metalcast/esp-partitions": "", "/root/test": script };
  const boot = (part: string, options: { signal?: AbortSignal; onLine?: (line: string) => void }) =>
    server.runRescue({ command: ["/root/test", part], files, timeoutMs: 25 * 60_000, ...options });

  const cut = new AbortController();
  let copied = 0;
  const first = await boot("first_boot", {
    signal: cut.signal,
    onLine: (line) => {
      if (line.startsWith("cut the power")) copied = 1;
      else if (copied > 0 && line.startsWith("metalcast: ESP: copied") && ++copied === 3) cut.abort();
    },
  });
  expect(first.exitCode).toBeUndefined();
  const second = await boot("second_boot", {});
  lines = [...first.lines, ...second.lines];
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

/** What the script told of one case. */
const told = (name: string) =>
  lines.flatMap((line) => (line.startsWith(`${name}: `) ? [line.slice(name.length + 2)] : []));

test.each([
  ["blank", ["exit 0", "equal"]],
  ["again", ["exit 0"]],
  ["changed", ["exit 0", "equal"]],
  ["second-back", ["exit 0", "equal"]],
  ["first-pulled", ["exit 0", "the other is mounted 1"]],
  ["first-not-mounted", ["exit 0"]],
  ["first-back", ["exit 0", "fourth BOOT/BOOTX64.EFI", "equal"]],
  ["upgraded", ["exit 0", "equal"]],
  ["own-loader", ["exit 0", "an own loader"]],
  ["formatted", ["exit 0", "equal"]],
])("%s", (name, facts) => {
  expect(told(name)).toEqual(expect.arrayContaining([...facts, "left mounted 0"]));
});

test.each([
  ["nothing", /none of them holds EFI\/BOOT\/BOOTX64\.EFI/],
  ["second-pulled", /the partition 22222222-\S+ is missing/],
  ["first-pulled", /is gone, and was \/boot\/efi/],
  ["first-not-mounted", /\/boot\/efi is now \/dev\/sd/],
  ["first-back", /was last changed, not \/boot\/efi/],
  ["upgraded", /^grub-install --target=x86_64-efi .*--no-nvram$/],
  ["full", /cannot be made equal to \/boot\/efi/],
  ["no-file-system", /shows no FAT file system and is left alone; hint: mkfs\.vfat/],
  ["not-listed", /which is none of the usable ones/],
])("%s says so", (name, message) => {
  expect(told(name)).toContainEqual(expect.stringMatching(message));
});

test("nothing is written where nothing differs, and no upgrade is taken halfway", () => {
  expect(told("again").filter((line) => line.includes("copied"))).toEqual([]);
  expect(told("half-upgraded").join("\n")).not.toContain("grub-install");
});

test("what cannot be done is a failure of the unit", () => {
  for (const name of ["nothing", "full", "no-file-system", "not-listed"]) expect(told(name)).toContain("exit 1");
  expect(told("no-file-system")).toContain("untouched");
});

describe("killed between two files, no loader is torn, and a rerun finishes", () => {
  test.each(["before", "after"])("%s the rename", (name) => {
    expect(told(`killed-${name}`)).toContain("exit 137");
    expect(told(`killed-${name}`)).toContainEqual(expect.stringMatching(/^[56] loaders, 0 torn$/));
    expect(told(`rerun-${name}`)).toEqual(["equal"]);
  });
});

test("a power cut between two files leaves every loader whole, and the next boot finishes", () => {
  expect(told("cut")).toContainEqual(expect.stringMatching(/^6 loaders, 0 torn$/));
  expect(told("after-the-cut")).toEqual(expect.arrayContaining(["exit 0", "equal", "check 0"]));
});
