import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { expect, test } from "vitest";
import { endLeftPrograms } from "../../common/left-programs.ts";

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

async function find(command: string): Promise<number[]> {
  const { stdout } = await execa("pgrep", ["--full", "--exact", command], { reject: false });
  return stdout.split("\n").filter(Boolean).map(Number);
}

test("a daemon stays as long as its starter runs", async () => {
  const daemon = "sleep 6001";
  const { child } = await start("sh", "-c", `setsid --fork ${daemon}; exec sleep 600`);
  await expect.poll(() => find(daemon), { timeout: 30_000 }).toHaveLength(1);
  await endLeftPrograms("testing");
  expect(await find(daemon)).toHaveLength(1);
  child.kill("SIGKILL");
  await once(child, "exit");
  await endLeftPrograms("testing");
  expect((await find(daemon)).filter(runs)).toEqual([]);
});

test("a starter's number that was given to somebody else does not keep its programs", async () => {
  const env = { METALCAST_STARTER: `${process.pid}:1` };
  const left = execa("sleep", ["600"], { reject: false, env });
  await endLeftPrograms("testing");
  expect((await left).signal).toBe("SIGTERM");
});

test("what belongs to another process namespace stays", async () => {
  const inside = ["env", "METALCAST_STARTER=1:1", "sleep", "6002"];
  const container = execa("unshare", ["--pid", "--fork", "--kill-child", ...inside], { reject: false });
  await expect.poll(() => find("sleep 6002"), { timeout: 30_000 }).toHaveLength(1);
  await endLeftPrograms("testing");
  expect(await find("sleep 6002")).toHaveLength(1);
  container.kill("SIGKILL");
  await container;
});
