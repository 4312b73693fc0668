import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startMachine } from "./machine.ts";
import { followCommand } from "./rescue-command.ts";

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "metalcast-machine-"));
});

afterAll(() => rm(directory, { recursive: true }));

const start = (script: string) =>
  startMachine({ name: "shell", program: "sh", args: ["-c", script], logFile: join(directory, "console.log") });

test("finds console lines that came and that will come", async () => {
  await using machine = start("echo one; echo two; exec sleep 1000");
  expect(await machine.waitForLine(/^two$/, 10_000)).toBe("two");
  expect(await machine.waitForLine(/^one$/, 0)).toBe("one");
});

test("a line that does not come is an error that shows the console", async () => {
  await using machine = start("echo booting; exec sleep 1000");
  await machine.waitForLine(/booting/, 10_000);
  await expect(machine.waitForLine(/login/, 1)).rejects.toThrow(/no console line \/login\/ .*\n.*booting/s);
});

test("a machine that goes off while a line is awaited is an error", async () => {
  await using machine = start("echo panic");
  await expect(machine.waitForLine(/login/, 10_000)).rejects.toThrow(/went off before.*panic/s);
});

test("keeps the console in its log", async () => {
  await using machine = start("echo logged; echo complaint >&2");
  await machine.exit;
  expect((await readFile(join(directory, "console.log"), "utf8")).split("\n")).toEqual(
    expect.arrayContaining(["logged", "complaint"]),
  );
});

test("a question is answered once it is asked, in the middle of a line", async () => {
  await using machine = start('printf "Passphrase: "; read -r answer; echo "got $answer"');
  await machine.answer(/Passphrase: $/, "correct horse", 10_000);
  expect(await machine.waitForLine(/got/, 10_000)).toBe("Passphrase: got correct horse");
});

test("a question that is never asked is an error", async () => {
  await using machine = start("echo hello; exec sleep 1000");
  await expect(machine.answer(/Passphrase/, "x", 500)).rejects.toThrow(/no question \/Passphrase\/ within 0.5 s/);
});

test("cutting the power ends it, and cutting it twice is fine", async () => {
  const machine = start("echo on; exec sleep 1000");
  await machine.waitForLine(/on/, 10_000);
  await machine.cut();
  await machine.cut();
});

const marked = (body: string) => `echo kernel; echo "lab: command started"; ${body}`;

test("gives a rescue command's own output and exit code", async () => {
  await using machine = start(marked("printf 'a\\nb\\n'; printf '\\nlab: command ended with 3\\n'; echo halted"));
  expect(await followCommand(machine, { timeoutMs: 10_000 })).toEqual({ lines: ["a", "b"], exitCode: 3 });
});

test("a power cut during the command leaves no exit code", async () => {
  const power = new AbortController();
  await using machine = start(marked("echo writing; exec sleep 1000"));
  const onLine = () => power.abort();
  const result = await followCommand(machine, { timeoutMs: 10_000, signal: power.signal, onLine });
  expect(result).toEqual({ lines: ["writing"], exitCode: undefined });
});

test("a command that does not end is cut and reported", async () => {
  await using machine = start(marked("exec sleep 1000"));
  await expect(followCommand(machine, { timeoutMs: 500 })).rejects.toThrow(/did not end within 0.5 s/);
});
