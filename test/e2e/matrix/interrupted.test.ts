import { rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { plan } from "../../../installer/plan.ts";
import { sampleHardware, sampleImage, sampleJob } from "../../installer/samples.ts";
import type { Server } from "../../lab/server.ts";
import { debian12, type InstallationRun, installServer, openCastStage } from "../scenario.ts";
import type { Stage } from "../stage.ts";
import { describeDisksScript } from "./describe-disks.ts";

/** Of every installation here: two disks, a RAID1, no firmware to make entries in. */
const planned = plan(sampleJob({ after: "nothing" }), sampleHardware({ firmware: "bios" }), sampleImage());
const steps = planned.steps.map(({ name }) => name);

/**
 * An installation that a power cut ends after one of its steps, for every step. Run again, it gives the very disks of
 * one that was never interrupted.
 */
let stage: Stage;
let installation: InstallationRun;
let whole: string[];

beforeAll(async () => {
  stage = await openCastStage(debian12);
  const instance = { hostname: "cut-1", uuid: crypto.randomUUID(), userData: "#cloud-config\n{}\n" };
  const made = await stage.makeJob(instance, "file:///srv/mirror");
  installation = { ...made, shares: { "/srv/mirror": stage.mirror } };
  const server = await stage.makeServer("whole");
  const finished: string[] = [];
  const outcome = await installServer(server, installation, (event) => {
    if (event.kind === "step-finished") finished.push(event.step);
  });
  expect(finished).toEqual(steps);
  expect(outcome).toEqual({ exitCode: 0, messages: [] });
  whole = await describeDisks(server);
});

afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
});

async function describeDisks(server: Server): Promise<string[]> {
  const files = { "/root/describe": describeDisksScript };
  const { lines, exitCode } = await server.runRescue({ command: ["/root/describe"], files, timeoutMs: 25 * 60_000 });
  if (exitCode !== 0) throw new Error(`the disks could not be described:\n${lines.join("\n")}`);
  return lines;
}

describe("a power cut", () => {
  test.each(steps)("after %s", async (last) => {
    const server = await stage.makeServer(`cut-${steps.indexOf(last)}`);
    const cut = new AbortController();
    const interrupted = await installServer(server, { ...installation, signal: cut.signal }, (event) => {
      if (event.kind === "step-finished" && event.step === last) cut.abort();
    });
    // The last one may be through before the power is off.
    if (last !== steps.at(-1)) expect(interrupted.exitCode).toBeUndefined();
    expect(await installServer(server, installation, () => {})).toEqual({ exitCode: 0, messages: [] });
    expect(await describeDisks(server)).toEqual(whole);
    await rm(server.hardware.directory, { recursive: true });
  });
});
