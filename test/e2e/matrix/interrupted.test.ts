import { rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStore } from "../../../mirror/index.ts";
import type { Server } from "../../lab/server.ts";
import { castImage, debian12, type InstallationRun, installServer } from "../scenario.ts";
import { buildCachedParts, openStage, type Stage } from "../stage.ts";
import { describeDisksScript } from "./describe-disks.ts";

/**
 * An installation that ends after one of its steps, for every step: by a power cut, or by a kill that leaves all that
 * the step left. Run again, it gives the very disks of one that was never interrupted.
 */
let stage: Stage;
let installation: InstallationRun;
let whole: string[];
let steps: string[];

beforeAll(async () => {
  await buildCachedParts(debian12);
  stage = await openStage();
  await castImage(debian12, stage.directory, openStore(`file://${stage.mirror}`), () => {});
  const instance = { hostname: "cut-1", uuid: crypto.randomUUID(), userData: "#cloud-config\n{}\n" };
  const made = await stage.makeJob(instance, "file:///srv/mirror");
  installation = { ...made, shares: { "/srv/mirror": stage.mirror } };
  const server = await stage.makeServer("whole");
  steps = [];
  const outcome = await installServer(server, installation, (event) => {
    if (event.kind === "step-finished") steps.push(event.step);
  });
  expect(outcome).toEqual({ exitCode: 0, messages: [] });
  whole = await describeDisks(server);
});

afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
});

async function describeDisks(server: Server): Promise<string[]> {
  const files = { "/root/describe": describeDisksScript };
  const { lines, exitCode } = await server.runRescue({ command: ["/root/describe"], files, timeoutMs: 10 * 60_000 });
  if (exitCode !== 0) throw new Error(`the disks could not be described:\n${lines.join("\n")}`);
  return lines;
}

/** The steps are known only once the first installation is through. */
const positions = Array.from({ length: 40 }, (_, position) => position);

describe("a power cut", () => {
  test.each(positions)("after step %i", async (position) => {
    const last = steps[position];
    // The plan has fewer steps.
    if (last === undefined) return;
    const server = await stage.makeServer(`cut-${position}`);
    const cut = new AbortController();
    const interrupted = await installServer(server, { ...installation, signal: cut.signal }, (event) => {
      if (event.kind === "step-finished" && event.step === last) cut.abort();
    });
    expect(interrupted.exitCode === undefined || position === steps.length - 1).toBe(true);
    expect(await installServer(server, installation, () => {})).toEqual({ exitCode: 0, messages: [] });
    expect(await describeDisks(server)).toEqual(whole);
    await rm(server.hardware.directory, { recursive: true });
  });
});
