import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { publishTree } from "../../bench/publish-tree.ts";
import { latestTime } from "../../factory/rich-tree.ts";
import { bundle } from "../../lab/bundle.ts";
import { runQuickest } from "../../lab/run-quickest.ts";
import { createServer } from "../../lab/server.ts";
import { sampleBytes, sha256 } from "../../mirror/sample-image.ts";
import { startFaultyMirror } from "./faulty-mirror.ts";
import type { FaultInput, FaultOutcome } from "./make-faults.ts";

/** Installations that meet disks and mirrors which fail, in a real kernel. */
let directory: string;
let outcomes: Map<string, FaultOutcome>;

const program = new URL("./make-faults.ts", import.meta.url);
/** One that fails, one that does not: the next run on the same disk. */
const mirrors = ["replaced", "resets", "swapped", "stalls", "endless", "dies"];

/** Names that tell the disks apart. */
const name = "disk/by-id/scsi-0QEMU_QEMU_HARDDISK_$env{ID_SCSI_SERIAL}";
const nameRules = `KERNEL=="sd*", ENV{DEVTYPE}=="disk", ENV{ID_SCSI_SERIAL}=="FAULT?", SYMLINK+="${name}"
KERNEL=="sd*", ENV{DEVTYPE}=="partition", ENV{ID_SCSI_SERIAL}=="FAULT?", SYMLINK+="${name}-part%n"
`;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "lab-"));
  const tree = `${directory}/tree`;
  const checksums = await makeTree(tree);
  const image = await publishTree(
    { tree, latestTime, shardBytes: 8 * 2 ** 20 },
    directory,
    "http://mirror.example.net",
  );
  await using mirror = await startFaultyMirror(`${directory}/mirror`);
  const at = (path: string) => `http://10.0.2.2:${mirror.port}/${path}`;
  const input = { image: { ...image, mirror: at("honest") }, checksums };
  // A server for the disks, one for the mirrors, side by side.
  const found = await Promise.all([
    installFaulty("disks", { ...input, mirrors: [] }, mirror.port),
    installFaulty("mirrors", { ...input, mirrors: mirrors.map(at) }, mirror.port),
  ]);
  outcomes = new Map(found.flat().map((outcome) => [outcome.scenario, outcome]));
});

afterAll(() => rm(directory, { recursive: true, force: true }));

async function installFaulty(server: string, input: FaultInput, port: number): Promise<FaultOutcome[]> {
  const place = `${directory}/${server}`;
  await using started = await createServer({ name: server, directory: place, disks: [], memoryMiB: 1536 });
  const { lines, exitCode } = await runQuickest(started, {
    command: ["/usr/bin/node", "/root/job/faults.mjs"],
    files: {
      "/root/job/faults.mjs": await bundle({ entryPoints: [program.pathname] }),
      "/root/job/faults.json": JSON.stringify(input),
      "/etc/udev/rules.d/62-faults.rules": nameRules,
    },
    hostPorts: [port],
    timeoutMs: 50 * 60_000,
  });
  if (exitCode !== 0) throw new Error(`the program ended with ${exitCode}:\n${lines.join("\n")}`);
  return lines.filter((line) => line.startsWith("{")).map((line): FaultOutcome => JSON.parse(line));
}

/** Some megabytes that do not compress to nothing, whose checksums it returns, and a loader for the ESP. */
async function makeTree(root: string): Promise<string> {
  await mkdir(`${root}/boot/efi/EFI/BOOT`, { recursive: true });
  await writeFile(`${root}/boot/efi/EFI/BOOT/BOOTX64.EFI`, "a loader\n");
  const files = ["a", "b", "c"].map((name) => ({ name, content: sampleBytes(name, 10 * 2 ** 20) }));
  for (const { name, content } of files) await writeFile(`${root}/${name}`, content);
  return files.map(({ name, content }) => `${sha256(content)}  ${name}\n`).join("");
}

function outcomeOf(scenario: string): FaultOutcome {
  const outcome = outcomes.get(scenario);
  if (!outcome) throw new Error(`there is no outcome of "${scenario}"`);
  return outcome;
}

const nothing = { bootCode: false, loaders: 0 };

/** What is left of every installation that fails, however it does. */
const released = { unfinished: [], mounted: [], arrays: 0 };

describe("a disk that fails", () => {
  test.each<[string, string, RegExp, string[]]>([
    ["writes fail while the image is laid", "disk-failed", /FAULT0: the kernel says ".*I\/O error/, ["FAULT0"]],
    ["writes fail where the ESP is", "disk-failed", /FAULT0: the kernel says ".*I\/O error/, ["FAULT0"]],
    ["a mirror's writes fail", "array-degraded", /FAULT1: the kernel says ".*I\/O error/, ["FAULT0", "FAULT1"]],
    ["a mirror's disk is gone", "array-degraded", /FAULT1: it is gone/, ["FAULT0", "FAULT1"]],
    ["the disk is gone", "disk-failed", /FAULT0: it is gone/, ["FAULT0"]],
  ])("%s", (scenario, code, message, disks) => {
    const outcome = outcomeOf(scenario);
    expect(outcome, JSON.stringify(outcome)).toMatchObject({ ...released, code, exitCode: 1 });
    expect(outcome.message).toMatch(message);
    expect(outcome.hint).toMatch(/dmesg.*smartctl --all \/dev\/disk\/by-id\/.*run it again/);
    expect(outcome.bootable).toEqual(Object.fromEntries(disks.map((disk) => [disk, nothing])));
  });

  test("one that is gone with its boot loader: the other has none, and that one is told of", () => {
    const outcome = outcomeOf("a mirror's disk is gone once loaders are there");
    expect(outcome).toMatchObject({ ...released, code: "array-degraded", step: "late-fault" });
    expect(outcome.bootable.FAULT0).toEqual(nothing);
    expect(outcome.bootable.FAULT1).toMatchObject({ bootCode: true });
    expect(outcome.notes).toContainEqual(expect.stringMatching(/keeping the unfinished system from booting.*FAULT1/));
  });

  test.each([
    ["after that", ["FAULT0"]],
    ["after those", ["FAULT0", "FAULT1"]],
  ])("the same job on disks that are whole again, %s", (scenario, disks) => {
    expect(outcomeOf(scenario)).toMatchObject({ ...released, code: "none", exitCode: 0 });
    for (const disk of disks) expect(outcomeOf(scenario).bootable[disk]?.bootCode).toBe(true);
    expect(outcomeOf(scenario).bootable.FAULT0?.loaders).toBe(1);
  });
});

test("an image that needs more than its manifest says", () => {
  const outcome = outcomeOf("the image is too large");
  expect(outcome).toMatchObject({ ...released, code: "no-space-left", exitCode: 3, step: "lay-image" });
  expect(outcome.message).toMatch(/^\/ \(.*\) is full: .*No space left on device/);
  expect(outcome.hint).toContain("larger disks");
  expect(outcome.bootable).toEqual({ FAULT0: nothing });
});

describe("a mirror that fails", () => {
  test.each([
    ["replaced", "object-changed"],
    ["swapped", "frame-hash-mismatch"],
    ["endless", "body-overlong"],
  ])("%s: nothing boots", (scenario, code) => {
    const outcome = outcomeOf(scenario);
    expect(outcome).toMatchObject({ ...released, code, exitCode: 4, step: "lay-image" });
    expect(outcome.hint).not.toBe("");
    expect(outcome.bootable).toEqual({ FAULT0: nothing });
  });

  test.each([
    ["resets", /the connection broke off.*; trying again in/],
    ["stalls", /nothing came for 20 s.*; trying again in/],
    ["dies", /(the connection broke off|no answer of use).*; trying again in/],
  ])("%s: the image is whole", (scenario, note) => {
    const outcome = outcomeOf(scenario);
    expect(outcome).toMatchObject({ ...released, code: "none", exitCode: 0, content: "as published" });
    expect(outcome.notes).toContainEqual(expect.stringMatching(note));
    expect(outcome.bootable).toEqual({ FAULT0: { bootCode: true, loaders: 1 } });
  });
});
