import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { expect, test } from "vitest";
import { endLeftPrograms, findLeft } from "../../common/left-programs.ts";

const script = fileURLToPath(new URL("./start-until-killed.ts", import.meta.url));

/** A process that runs a program, and that program. */
async function start(...command: string[]) {
  const child = execa(process.execPath, [script, ...command], { reject: false });
  const [line] = await once(createInterface(child.stdout), "line");
  return { child, program: Number(line) };
}

/** One that has ended may stay in the table until somebody asks for its exit code. */
const runs = (id: number) => existsSync(`/proc/${id}`) && !/\) Z /.test(readFileSync(`/proc/${id}/stat`, "utf8"));

test("what a killed process has left running is ended, what a living one runs is not", async () => {
  const living = await start("sleep", "600");
  const killed = await start("sleep", "600");
  // Its output would be read on as long as the program holds it.
  killed.child.stdout.destroy();
  killed.child.kill("SIGKILL");
  await once(killed.child, "exit");
  expect(runs(killed.program)).toBe(true);
  await endLeftPrograms("testing");
  expect([runs(killed.program), runs(living.program)]).toEqual([false, true]);
  living.child.kill("SIGTERM");
  await living.child;
  await endLeftPrograms("testing");
  expect(runs(living.program)).toBe(false);
});

test("one that does not want to end is killed", async () => {
  const { child, program } = await start("sh", "-c", "trap '' TERM; while :; do sleep 1; done");
  child.kill("SIGKILL");
  await once(child, "exit");
  await endLeftPrograms("testing");
  expect(runs(program)).toBe(false);
}, 30_000);

test("a starter whose number was given to somebody else is no ancestor", () => {
  const program = (id: number, parent: number, starter?: number) => ({ id, name: "x", parent, starter });
  const shell = program(10, 1);
  const installer = program(20, 10);
  const child = program(21, 20, 20);
  const grandchild = program(22, 21, 20);
  const left = program(30, 1, 10);
  const leftGrandchild = program(31, 30, 10);
  const found = findLeft([program(1, 0), shell, installer, child, grandchild, left, leftGrandchild]);
  expect(found).toEqual([left, leftGrandchild]);
});
