import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { qemuConvert, writeBytes } from "./formats/images.ts";

const cli = new URL("../../cli.ts", import.meta.url).pathname;
const convert = (...words: string[]) =>
  execa(process.execPath, [cli, "convert", ...words], { reject: false, cwd: directory });

let directory: string;
const disk = Buffer.alloc(2 ** 20);
disk.fill("metal", 512, 2 ** 17);
disk.writeUInt16BE(0x55aa, 510);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "convert-command-"));
  const raw = await writeBytes(join(directory, "disk.raw"), disk);
  await qemuConvert(raw, join(directory, "disk.qcow2"), "qcow2");
  await qemuConvert(raw, join(directory, "disk.img"), "qcow2");
  await writeFile(join(directory, "taken"), "mine");
  await symlink("disk.raw", join(directory, "link"));
});
afterAll(() => rm(directory, { recursive: true }));

test("a disk of the format that the name says, then one that is declared", async () => {
  const first = await convert("disk.qcow2", "first.raw");
  expect(first).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^first\.raw is a disk of 1\.0 MiB \(.+ used\)$/),
  });
  expect(first.stderr).toContain("Convert it from qcow2 to a raw disk");
  const second = await convert("--json", "--format", "qcow2", "disk.img", "second.raw");
  const lines = second.stdout.split("\n").map((line): unknown => JSON.parse(line));
  const { blocks } = await stat(join(directory, "second.raw"));
  expect(lines.at(-1)).toEqual({
    destination: "second.raw",
    format: "qcow2",
    sizeBytes: 2 ** 20,
    usedBytes: blocks * 512,
  });
  expect(lines.slice(0, -1)).toContainEqual(
    expect.objectContaining({ kind: "operation-finished", operation: "convert" }),
  );
  for (const name of ["first.raw", "second.raw"]) {
    expect((await readFile(join(directory, name))).equals(disk)).toBe(true);
  }
});

test("an existing file is replaced only where that is asked for", async () => {
  expect(await convert("disk.qcow2", "taken")).toMatchObject({
    exitCode: 3,
    stdout: "",
    stderr: expect.stringMatching(/^error: converting into taken: it is there already\nhint: .*--force/),
  });
  expect(await readFile(join(directory, "taken"), "utf8")).toBe("mine");
  expect(await convert("disk.qcow2", "taken", "--force")).toMatchObject({ exitCode: 0 });
  expect((await readFile(join(directory, "taken"))).equals(disk)).toBe(true);
});

test.each([
  ["a name that says no format", 3, /formats are not guessed\nhint: /, ["disk.img", "new"]],
  ["a wrong declaration", 4, /declared raw, its bytes are those of qcow2/, ["--format", "raw", "disk.qcow2", "new"]],
  ["a declaration that the bytes don't bear out", 4, /declared vmdk/, ["--format", "vmdk", "disk.raw", "new"]],
  ["an archive", 3, /is an archive of a root file system/, ["root.tar.xz", "new"]],
  ["a format that there isn't", 2, /--format/, ["--format", "iso", "disk.raw", "new"]],
  ["a file that is not there", 3, /missing\.raw/, ["missing.raw", "new"]],
  ["a folder that is not there", 1, /write|writing/, ["disk.qcow2", "missing/new"]],
  ["the file itself", 3, /the image itself/, ["--force", "disk.raw", "disk.raw"]],
  ["a link, even to a file", 3, /not a regular file/, ["--force", "disk.qcow2", "link"]],
  ["a folder", 3, /not a regular file/, ["--force", "disk.qcow2", "."]],
  ["no destination", 2, /destination/, ["disk.qcow2"]],
])("%s is refused, and nothing is made", async (_name, exitCode, message, words) => {
  const before = await readdir(directory);
  const result = await convert(...words);
  expect(result).toMatchObject({ exitCode, stdout: "" });
  expect(result.stderr).toMatch(message);
  expect(await readdir(directory)).toEqual(before);
});
