import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findImage, loadCatalog, nightly } from "../../../factory/index.ts";
import { bootTestByCommand } from "../../../factory/nightly/boot-test.ts";
import { openStore, resolveImage } from "../../../mirror/index.ts";
import { buildVendorImage } from "../../lab/vendor-image.ts";
import { newMirror } from "../../mirror/trust/new-mirror.ts";
import { debian12 } from "../scenario.ts";
import { buildCachedParts } from "../stage.ts";

/** A night with nothing put in the place of anything: a real build, the lab as the boot test, then another night. */
let directory: string;

beforeAll(async () => {
  await buildCachedParts(debian12);
  directory = await mkdtemp(join(tmpdir(), "nightly-"));
  await mkdir(join(directory, "mirror"));
});

afterAll(() => rm(directory, { recursive: true, force: true }));

test("what was built, installed and booted becomes stable; the next night has nothing to do", async () => {
  const { file, format, checksum } = await buildVendorImage(debian12);
  const image = findImage(await loadCatalog(), debian12.name);
  const { mirror: store, keys } = await newMirror(openStore(`file://${directory}/mirror`), { directory });
  const bootTest = bootTestByCommand({
    command: [process.execPath, new URL("../boot-test.ts", import.meta.url).pathname],
    timeoutMs: 40 * 60_000,
    environment: [],
    directory,
    root: `${keys}/root.json`,
  });
  const night = () =>
    nightly({
      store,
      images: [{ image, local: { source: file, checksum, format } }],
      work: join(directory, "work"),
      bootTest,
      emit: () => {},
    });

  expect(await night()).toMatchObject({
    outcome: "ok",
    images: [
      { name: debian12.name, outcome: "built", bootTest: "passed", stable: expect.stringMatching(/^\d{8}\.0$/) },
    ],
  });
  const { manifest } = await resolveImage(store, debian12.name, { arch: "amd64" });
  expect(await night()).toMatchObject({ outcome: "ok", images: [{ outcome: "skipped", bootTest: "not-run" }] });
  expect((await resolveImage(store, debian12.name, { arch: "amd64" })).manifest.version).toBe(manifest.version);
});
