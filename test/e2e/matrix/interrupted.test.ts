import { mkdir, rm } from "node:fs/promises";
import { basename } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../../../common/run.ts";
import { plan } from "../../../installer/plan.ts";
import { sampleHardware, sampleImage, sampleJob } from "../../installer/samples.ts";
import type { ServerHardware } from "../../lab/hardware.ts";
import { debian12, type InstallationOutcome, type InstallationRun, installServer, openCastStage } from "../scenario.ts";
import type { Stage } from "../stage.ts";
import { describeDisksScript } from "./describe-disks.ts";

/** Of every installation here: two disks, a RAID1, no firmware to make entries in. */
const planned = plan(sampleJob({ after: "nothing" }), sampleHardware({ firmware: "bios" }), sampleImage());
const steps = planned.steps.map(({ name }) => name);

/**
 * An installation that a power cut ends after one of its steps, for every step: all that a server has of it is what the
 * disks held at that moment. Run again, it gives the very disks of one that was never interrupted.
 */
let stage: Stage;
let installation: InstallationRun;
let whole: string[];

beforeAll(async () => {
  stage = await openCastStage(debian12);
  const instance = { hostname: "cut-1", uuid: crypto.randomUUID(), userData: "#cloud-config\n{}\n" };
  installation = {
    ...(await stage.makeJob(instance, "file:///srv/mirror")),
    ...{ shares: { "/srv/mirror": stage.mirror }, firmware: "bios" },
    prefix: ["/root/describe-after"],
    rescueFiles: { "/root/describe-after": `${runFirst}${describeDisksScript}` },
  };
  const server = await stage.makeServer("whole");
  const finished: string[] = [];
  const outcome = await installServer(
    server,
    {
      ...installation,
      holdAt(event) {
        if (event.kind !== "step-finished") return undefined;
        finished.push(event.step);
        return keepDisks(server.hardware, `${stage.directory}/${serverOf(event.step)}`);
      },
    },
    () => {},
  );
  expect(finished).toEqual(steps);
  expect(outcome.exitCode).toBe(0);
  whole = describe(outcome);
  expect(whole.length).toBeGreaterThan(30);
});

afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
});

/** What the disks hold. A kernel that was held complains of the time it did not see. */
function describe({ messages }: InstallationOutcome): string[] {
  return messages.filter((line) => !/^\[ *\d+\.\d+\]/.test(line));
}

/** Runs a command, then goes on if it ends well. */
const runFirst = '#!/bin/sh\n"$@" || exit\n';

const serverOf = (last: string) => `cut-${steps.indexOf(last)}`;

/** Copies what a server's disks hold to where another one will have its own. */
async function keepDisks({ disks }: ServerHardware, directory: string): Promise<void> {
  await mkdir(directory);
  for (const { file } of disks) {
    await run("cp", ["--sparse=always", file, `${directory}/${basename(file)}`], { doing: "keeping a disk" });
  }
}

test.concurrent.each(steps)("a power cut after %s", async (last) => {
  const server = await stage.makeServer(serverOf(last));
  const outcome = await installServer(server, installation, () => {});
  expect(outcome.exitCode).toBe(0);
  expect(describe(outcome)).toEqual(whole);
  await rm(server.hardware.directory, { recursive: true });
});
