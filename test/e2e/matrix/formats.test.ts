import { afterAll, beforeAll, expect, test } from "vitest";
import { type Casting, castImage, debian12, debian13, installServer } from "../scenario.ts";
import { buildCachedParts, openStage, type Stage } from "../stage.ts";

/** The same vendor images in the formats that the quick tests do not boot. */
let stage: Stage;

beforeAll(async () => {
  await buildCachedParts(debian12);
  stage = await openStage();
});

afterAll(() => stage?.[Symbol.asyncDispose]());

test.each([
  { ...debian12, format: "ova" },
  { ...debian13, format: "tar.zst" },
] as const satisfies Casting[])("$name is built from $format, installed and booted", async (casting) => {
  const instance = { hostname: casting.release, uuid: crypto.randomUUID(), userData: "#cloud-config\n{}\n" };
  await castImage(casting, stage.directory, stage.store, () => {});
  const server = await stage.makeServer(casting.release);
  const job = await stage.makeJob(instance, "file:///srv/mirror", casting.name);
  const outcome = await installServer(server, { ...job, shares: { "/srv/mirror": stage.mirror } }, () => {});
  expect(outcome).toEqual({ exitCode: 0, messages: [] });
  await using booted = await server.boot({ firmware: "bios" });
  expect(await stage.waitForReport(instance, booted)).toMatchObject({
    hostname: casting.release,
    cloudInit: "done",
  });
});
