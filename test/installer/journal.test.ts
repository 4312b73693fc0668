import { mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Event, reportStep } from "../../common/event.ts";
import { Journal, journalPath } from "../../installer/journal.ts";
import { temporaryDirectory } from "../mirror/sample-image.ts";

const note = (text: string): Event => ({ version: 1, time: "2026-01-01T00:00:00.000Z", kind: "note", text });

const notes = async (path: string) =>
  (await readFile(path, "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).text);

/** One that must not fail. */
const open = (file: string) =>
  Journal.open((message) => {
    throw new Error(message);
  }, file);

test("the rescue system has all of it, the target what came before it was left; both for root alone", async () => {
  await using directory = await temporaryDirectory();
  const file = join(directory.path, "log/install.jsonl");
  const target = join(directory.path, "target");
  await mkdir(target);
  {
    await using journal = await open(file);
    journal.write(note("wiped"));
    await journal.followInto(target);
    journal.write(note("laid"));
    await journal.leaveTarget();
    journal.write(note("released"));
  }
  expect(await notes(file)).toEqual(["wiped", "laid", "released"]);
  expect(await notes(join(target, journalPath))).toEqual(["wiped", "laid"]);
  for (const path of [file, join(target, journalPath)]) expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test("a second installation continues the rescue system's", async () => {
  await using directory = await temporaryDirectory();
  const file = join(directory.path, "install.jsonl");
  for (const text of ["first", "second"]) {
    await using journal = await open(file);
    journal.write(note(text));
  }
  expect(await notes(file)).toEqual(["first", "second"]);
});

test("progress is left out", async () => {
  await using directory = await temporaryDirectory();
  const file = join(directory.path, "install.jsonl");
  {
    await using journal = await open(file);
    const lay = { step: "lay-image", title: "lay" };
    await reportStep(
      (event) => journal.write(event),
      lay,
      async (advance) => advance(1, 2),
    );
    journal.write({ ...note(""), kind: "step-progress", step: "lay-image", bytes: 1, bytesPerSecond: 1 });
  }
  const kinds = (await readFile(file, "utf8")).trimEnd().split("\n");
  expect(kinds.map((line) => JSON.parse(line).kind)).toEqual(["step-started", "step-finished"]);
});

test("an image's link leads out of no target, and a file of its own stays as it is", async () => {
  await using directory = await temporaryDirectory();
  const outside = join(directory.path, "outside");
  await mkdir(outside);
  const hostile = join(directory.path, "hostile");
  await mkdir(join(hostile, "var"), { recursive: true });
  await symlink(outside, join(hostile, "var/log"));
  const own = join(directory.path, "own");
  await mkdir(join(own, "var/log/metalcast"), { recursive: true });
  await writeFile(join(own, journalPath), "the image's own\n");
  const told: string[] = [];
  for (const target of [hostile, own]) {
    await using journal = await Journal.open((message) => told.push(message), join(directory.path, "install.jsonl"));
    await journal.followInto(target);
    journal.write(note("laid"));
  }
  await expect(stat(join(outside, "metalcast"))).rejects.toMatchObject({ code: "ENOENT" });
  expect(await readFile(join(own, journalPath), "utf8")).toBe("the image's own\n");
  expect(told).toEqual([expect.stringMatching(/^keeping the journal: .*EEXIST/)]);
});

test("where none can be kept, the installation goes on, and that is told", async () => {
  await using directory = await temporaryDirectory();
  await writeFile(join(directory.path, "file"), "");
  const told: string[] = [];
  await using journal = await Journal.open((message) => told.push(message), join(directory.path, "file/install.jsonl"));
  journal.write(note("wiped"));
  await journal.followInto(join(directory.path, "file"));
  await journal.leaveTarget();
  expect(told).toEqual([0, 1].map(() => expect.stringMatching(/^keeping the journal: /)));
});
