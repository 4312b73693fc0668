import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../../../common/run.ts";
import { openStore, publish } from "../../../mirror/index.ts";
import { bundle } from "../../lab/bundle.ts";
import { runQuickest } from "../../lab/run-quickest.ts";
import { createServer, type Server } from "../../lab/server.ts";
import { makeSampleImage, sha256, writeSampleImage } from "../../mirror/sample-image.ts";
import { newMirror } from "../../mirror/trust/new-mirror.ts";

/**
 * Installers are killed, all at once as by `kill -9`, in the middle of their steps and after each of them. The next one
 * runs in the same rescue system, with all that the one before has left mounted, assembled, open or running. Others are
 * interrupted, and see to it themselves that nothing is left.
 */
const layouts = ["raid1", "encrypted-lvm"] as const;
const interruptions = [
  ["SIGTERM", "wipe-1"],
  ["Ctrl-C", "assemble-root"],
  ["Ctrl-C", "format-root"],
  ["SIGTERM", "mount"],
  ["SIGTERM", "lay-image"],
  ["Ctrl-C", "lay-image"],
];
const killing = new URL("./make-kills.ts", import.meta.url);
const interrupting = new URL("./make-interruptions.ts", import.meta.url);
const mebibyte = 2 ** 20;
const frameBytes = 4 * mebibyte;

let directory: string;
let mirrorRoot: string;
const servers: Server[] = [];
const transcripts = new Map<string, string[]>();

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "lab-"));
  await publishImage(`${directory}/mirror`);
  await Promise.all(layouts.map((layout) => runProgram(layout, killing, [layout])));
  await runProgram("interrupted", interrupting, []);
});

afterAll(async () => {
  for (const server of servers) await server[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

async function runProgram(name: string, program: URL, args: readonly string[]): Promise<void> {
  const disks = [3072, 3072, 64].map((size, index) => ({ serial: `LAB${index}`, sizeBytes: size * mebibyte }));
  const server = await createServer({ name, directory: `${directory}/${name}`, disks, memoryMiB: 1024 });
  servers.push(server);
  const job = {
    image: "debian-12",
    mirror: "file:///srv/mirror",
    mirrorRoot: "mirror-root.json",
    disks: { count: 2, match: { serial: ["LAB0", "LAB1"] } },
    storage: "raid1",
    instance: { hostname: "web-1" },
    after: "nothing",
  };
  const { lines, exitCode } = await runQuickest(server, {
    command: ["/usr/bin/node", "/root/job/program.mjs", ...args],
    files: {
      "/root/job/program.mjs": await bundle({ entryPoints: [program.pathname] }),
      "/root/job/job.json": JSON.stringify(job),
      "/root/job/mirror-root.json": mirrorRoot,
    },
    shares: { "/srv/mirror": `${directory}/mirror` },
    timeoutMs: 100 * 60_000,
  });
  if (exitCode !== 0) throw new Error(`the program ended with ${exitCode}:\n${lines.join("\n")}`);
  transcripts.set(name, lines);
}

/** A real archive, though of no system, that takes its time to be unpacked. */
async function publishImage(mirror: string): Promise<void> {
  const tree = `${directory}/tree`;
  for (const path of [tree, mirror, `${directory}/image`]) await mkdir(path);
  await writeFile(`${tree}/data`, randomBytes(128 * mebibyte));
  await run("tar", ["--create", `--file=${directory}/tar`, `--directory=${tree}`, "."], { doing: "packing" });
  const plain = await readFile(`${directory}/tar`);
  const packed = [];
  const frames = [];
  for (let start = 0, offset = 0; start < plain.length; start += frameBytes) {
    const bytes = plain.subarray(start, start + frameBytes);
    const frame = zstdCompressSync(bytes);
    packed.push(frame);
    frames.push({ offset, sizeBytes: frame.length, plainBytes: bytes.length, sha256: sha256(frame) });
    offset += frame.length;
  }
  const archive = Buffer.concat(packed);
  const sample = makeSampleImage();
  const manifest = {
    ...sample.manifest,
    preinstalled: ["cloud-init", "mdadm"],
    minimumDiskBytes: 2 ** 30,
    unpackedBytes: plain.length,
    files: [{ path: "image.tar.zst", sizeBytes: archive.length, sha256: sha256(archive) }],
    frames,
    shards: [{ content: "files" as const, firstFrame: 0, frameCount: frames.length, plainBytes: plain.length }],
  };
  await writeSampleImage(`${directory}/image`, { manifest, shards: [plain], archive });
  const made = await newMirror(openStore(`file://${mirror}`), { directory });
  mirrorRoot = made.root;
  await publish(made.mirror, `${directory}/image`, { emit: () => {} });
}

const transcript = (name: string) => transcripts.get(name) ?? [];

describe.each(layouts)("%s", (layout) => {
  const told = (pattern: RegExp) => transcript(layout).filter((line) => pattern.test(line));

  test("nothing but a kill ended an installation that was to be killed", () => {
    expect(transcript(layout)).toContain(`${layout}, undisturbed: done`);
    expect(told(/, killed at /)).toEqual([]);
    expect(told(/, moments: ([2-9]\d)$/)).toHaveLength(1);
  });

  test("the disks are the same, whatever the installers before were killed at", () => {
    const after = told(/, after /);
    expect(after.length).toBeGreaterThan(3);
    expect(after.filter((line) => !line.endsWith(": the same"))).toEqual([]);
  });

  test("a program that a killed installer left working in the target is ended", () => {
    expect(transcript(layout)).toContain(`${layout}, killed while a program works in the target: SIGKILL`);
    expect(transcript(layout)).toContain(`${layout}, after that: the same`);
  });

  test("udev gets its rules back, but for those that an administrator masks", () => {
    expect(told(/ masks|with them/)).toEqual([
      `${layout}, masks: none`,
      `${layout}, with an administrator's masks: SIGKILL`,
      `${layout}, with them, again: done`,
      `${layout}, masks of an administrator: 65-md-incremental.rules 69-lvm.rules`,
    ]);
  });
});

test("a volume group of the same name elsewhere is refused, under another name it stays as it is", () => {
  expect(transcript("encrypted-lvm")).toContain(
    "encrypted-lvm, beside a group of the same name: volume-group-name-taken",
  );
  expect(transcript("encrypted-lvm")).toContain("encrypted-lvm, the foreign group: active, unchanged");
});

test.each(interruptions)("%s in %s ends the installation in an orderly way", (way, step) => {
  const prefix = `${way} in ${step}, `;
  const lines = transcript("interrupted").filter((line) => line.startsWith(prefix));
  expect(lines.map((line) => line.slice(prefix.length))).toEqual([
    expect.stringMatching(/^exit: 130, error: .*interrupted$/),
    "open steps: none",
    "ends with: step-failed interrupted, operation-failed interrupted",
    "leaves: nothing",
  ]);
});
