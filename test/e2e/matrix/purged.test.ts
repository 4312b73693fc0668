import { afterAll, beforeAll, expect, test } from "vitest";
import { debian12, installServer, openCastStage } from "../scenario.ts";
import type { Stage } from "../stage.ts";

/** A server whose user's script purges cloud-init at the first boot, and all that it left. */
const instance = {
  hostname: "web-2",
  uuid: crypto.randomUUID(),
  userData:
    "#!/bin/sh\nDEBIAN_FRONTEND=noninteractive apt-get purge -y cloud-init\nrm -rf /etc/cloud /var/lib/cloud /run/cloud-init\n",
};

let stage: Stage;

beforeAll(async () => {
  stage = await openCastStage(debian12);
});

afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
});

test("under BIOS: the phone home arrives although cloud-init is gone", async () => {
  const server = await stage.makeServer("purged");
  const installation = {
    ...(await stage.makeJob(instance, "file:///srv/mirror")),
    shares: { "/srv/mirror": stage.mirror },
  };
  expect(await installServer(server, installation, () => {})).toEqual({ exitCode: 0, messages: [] });
  await using booted = await server.boot({ firmware: "bios" });
  const report = await stage.waitForReport(instance, booted);
  expect(report).toMatchObject({ hostname: "web-2", instanceId: instance.uuid, cloudInit: "removed" });
  await booted.powerOff(20 * 60_000);
});
