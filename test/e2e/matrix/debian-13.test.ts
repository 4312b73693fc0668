import { afterAll, beforeAll, expect, test } from "vitest";
import type { Server } from "../../lab/server.ts";
import { castImage, debian13, installServer } from "../scenario.ts";
import { buildCachedParts, openStage, type Stage } from "../stage.ts";

/** Another release, from another format: Debian 13 as a raw disk under xz. */
const instance = { hostname: "trixie-1", uuid: crypto.randomUUID(), userData: "#cloud-config\n{}\n" };
const bootLimitMs = 20 * 60_000;

let stage: Stage;
let server: Server;

beforeAll(async () => {
  await buildCachedParts(debian13);
  stage = await openStage();
  server = await stage.makeServer("trixie");
});

afterAll(() => stage?.[Symbol.asyncDispose]());

test("Debian 13 goes from a raw.xz to a server that is installed", async () => {
  const published = await castImage(debian13, stage.directory, stage.store, () => {});
  expect(published).toMatchObject({ name: "debian-13", channelMoved: true });
  const installation = {
    ...(await stage.makeJob(instance, "file:///srv/mirror", "debian-13")),
    shares: { "/srv/mirror": stage.mirror },
  };
  expect(await installServer(server, installation, () => {})).toEqual({ exitCode: 0, messages: [] });
});

test("it boots under BIOS, and phones home", async () => {
  await using booted = await server.boot({ firmware: "bios" });
  const report = await stage.waitForReport(instance, booted);
  expect(report).toMatchObject({ hostname: "trixie-1", instanceId: instance.uuid, cloudInit: "done" });
  const { stdout } = await booted.ssh("debian", stage.keyFile, "cat /etc/debian_version /proc/mdstat; uname -r");
  expect(stdout).toMatch(/^13\.[\s\S]*\[UU\][\s\S]*^6\.12\.\S+-amd64$/m);
  expect(stdout).not.toContain("cloud-amd64");
  await booted.powerOff(bootLimitMs);
});

test("it boots under UEFI with its first disk pulled", async () => {
  await using booted = await server.boot({ firmware: "uefi", removedDisks: [0], snapshot: true, forgetEntries: true });
  const { stdout } = await booted.sshWhenUp("debian", stage.keyFile, "cat /proc/mdstat", bootLimitMs);
  expect(stdout).toContain("[_U]");
});
