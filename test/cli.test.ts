import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";

const cli = new URL("../cli.ts", import.meta.url).pathname;
const metalcast = (...words: string[]) =>
  execa(process.execPath, [cli, ...words], { reject: false, env: { NO_COLOR: "1" } });

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "cli-"));
});
afterAll(() => rm(directory, { recursive: true }));

test("its version is the package's", async () => {
  const { version } = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"));
  expect((await metalcast("--version")).stdout).toBe(version);
});

test("help shows examples first, and every verb", async () => {
  const { stdout, exitCode } = await metalcast("--help");
  expect(exitCode).toBe(0);
  expect(stdout.indexOf("Examples:")).toBe(0);
  for (const verb of [
    ...["images", "build", "inspect", "convert", "nightly"],
    ...["publish", "list", "promote", "qualified", "rollback", "retire", "prune", "sync", "verify", "serve", "mirror"],
    ...["disks", "plan", "install", "phone-home", "schema"],
  ]) {
    expect(stdout).toMatch(new RegExp(`^ +${verb} `, "m"));
  }
});

test.each([
  ["an unknown verb", ["frobnicate"]],
  ["a missing argument", ["plan"]],
  ["an unknown option", ["disks", "--shiny"]],
  ["a missing option", ["publish", "."]],
])("%s is a matter of usage", async (_name, words) => {
  expect(await metalcast(...words)).toMatchObject({
    exitCode: 2,
    stdout: "",
    stderr: expect.stringMatching(/^error: /),
  });
});

test("an error is one line and a hint, on standard error; nothing is on standard output", async () => {
  const job = join(directory, "job.yaml");
  await writeFile(job, "image: debian-12\n");
  const { exitCode, stdout, stderr } = await metalcast("plan", job);
  expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: "" });
  expect(stderr).toMatch(/^error: .*job\.yaml is not a valid job: .*disks: .*mirror: .*\nhint: .*$/);
});

test("results are JSON with --json, before or after the verb", async () => {
  const [before, after] = await Promise.all([metalcast("--json", "images"), metalcast("images", "--json")]);
  expect(JSON.parse(before.stdout)).toEqual(expect.arrayContaining([expect.objectContaining({ name: "debian-12" })]));
  expect(after.stdout).toBe(before.stdout);
});

test("the schema of events is one that other tools can check events with", async () => {
  const schema = JSON.parse((await metalcast("schema", "event")).stdout);
  // Formats need a package of their own; kinds and fields are what matters here.
  const isEvent = new Ajv2020({ validateFormats: false }).compile(schema);
  const event = { version: 1, time: "2026-01-01T00:00:00.000Z", kind: "note", text: "hello" };
  expect(isEvent(event)).toBe(true);
  expect(isEvent({ ...event, kind: "rumor" })).toBe(false);
  expect(await metalcast("schema", "rumor")).toMatchObject({ exitCode: 2 });
});
