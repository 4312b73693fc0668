import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { digestFile } from "../../factory/checksum.ts";
import { inspect } from "../../factory/inspect.ts";
import { openOwnImage } from "../../factory/own-image.ts";
import { makeTinyImage } from "./tiny-image.ts";

let folder: string;
let path: string;
const work = () => join(folder, "work");
const emit = () => {};

beforeAll(async () => {
  folder = await mkdtemp("/var/tmp/inspect-");
  ({ path } = await makeTinyImage(folder));
  await execa("mkdir", [work()]);
});
afterAll(() => rm(folder, { recursive: true }));

async function expectNothingLeft() {
  expect(await readdir(work())).toEqual([]);
  expect(await readFile("/proc/mounts", "utf8")).not.toContain(folder);
}

test("an image is opened, judged and closed", async () => {
  const { verdict, description, findings } = await inspect({ path, format: "qcow2" }, { emit, work: work() });
  expect(verdict).toBe("blocks");
  expect(description).toMatchObject({ format: "qcow2", details: { compression: "zlib" } });
  expect(findings).toContainEqual({
    topic: "partitions",
    readiness: "ready",
    found: "gpt: / ext4 (partition 1)",
  });
  expect(findings).toContainEqual(
    expect.objectContaining({ topic: "system", readiness: "blocks", why: expect.stringContaining("package manager") }),
  );
  await expectNothingLeft();
});

test("an image in another format than the declared one is not opened", async () => {
  await expect(inspect({ path, format: "vmdk" }, { emit, work: work() })).rejects.toMatchObject({
    code: "format-mismatch",
    kind: "integrity",
  });
  await expectNothingLeft();
});

test("the command prints a table or JSON, and fails where the image blocks", async () => {
  const cli = new URL("../../cli.ts", import.meta.url).pathname;
  const run = (...words: string[]) =>
    execa(process.execPath, [cli, "--quiet", "inspect", path, ...words], {
      reject: false,
      env: { METALCAST_WORK: work() },
    });
  const [table, json] = await Promise.all([run(), run("--json")]);
  expect(table.stdout).toMatch(/^kernel +can be fixed by `metalcast build` +none: /m);
  expect(table).toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(/^error: .*cannot run on metal.*\nhint: /),
  });
  expect(JSON.parse(json.stdout)).toMatchObject({ verdict: "blocks", system: { family: "debian", kernels: [] } });
});

test("an image of one's own is verified first, and refused for what it lacks", async () => {
  const sha256 = await digestFile(path, "sha256");
  await expect(openOwnImage({ file: path, sha256: "0".repeat(64) }, { emit, work: work() })).rejects.toMatchObject({
    code: "checksum-mismatch",
  });
  await expect(openOwnImage({ file: path, sha256 }, { emit, work: work() })).rejects.toMatchObject({
    code: "kernel-missing",
  });
  await expectNothingLeft();
});

test("a format that the name does not say must be said", async () => {
  const sha256 = "0".repeat(64);
  await expect(openOwnImage({ file: "/srv/disk.img", sha256 }, { emit })).rejects.toMatchObject({
    code: "format-undeclared",
    kind: "configuration",
  });
});
