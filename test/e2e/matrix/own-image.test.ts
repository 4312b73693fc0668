import { mkdir } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../../../common/run.ts";
import { digestFile } from "../../../factory/checksum.ts";
import { createServer, type Server } from "../../lab/server.ts";
import { buildVendorDisk } from "../../lab/vendor-disk.ts";
import { debian12, installServer, openCastStage } from "../scenario.ts";
import { type Stage, twoDisks } from "../stage.ts";

/**
 * "Bring your own image": a job names a qcow2 by its SHA-256, with no mirror at all. The image is a disk of somebody's
 * own, with all that metal needs in it. A third disk gives the rescue system, which lives in memory, room to work in.
 */
const gibibyte = 2 ** 30;
const instance = { hostname: "own-1", uuid: crypto.randomUUID(), userData: "#cloud-config\n{}\n" };

let stage: Stage;
let server: Server;
let sha256: string;

beforeAll(async () => {
  stage = await openCastStage(debian12);
  sha256 = await makeOwnImage(`${stage.directory}/own`);
  server = await createServer({
    name: "own",
    directory: `${stage.directory}/server`,
    disks: [...twoDisks, { serial: "WORK", sizeBytes: 16 * gibibyte }],
    memoryMiB: 2048,
  });
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await stage?.[Symbol.asyncDispose]();
});

async function makeOwnImage(folder: string): Promise<string> {
  const root = `${folder}/root`;
  await mkdir(root, { recursive: true });
  const keep = ["--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls"];
  const archive = `${stage.directory}/debian-12/image.tar.zst`;
  await run("tar", ["--zstd", "-xpf", archive, "-C", root, ...keep], { doing: "unpacking" });
  await buildVendorDisk(root, `${folder}/disk.raw`);
  const file = `${stage.mirror}/own.qcow2`;
  await run("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", "-c", `${folder}/disk.raw`, file], {
    doing: "compressing",
  });
  return digestFile(file, "sha256");
}

test("a job with an image of one's own becomes a server that boots and phones home", async () => {
  const { job, files } = await stage.makeJob(instance, "file:///srv/mirror");
  const { mirror: _, mirrorRoot: __, ...withoutMirror } = job;
  const image = { file: "/srv/own/own.qcow2", sha256 };
  const prepared = "mkfs.ext4 -q -F /dev/disk/by-id/*WORK && mkdir /work && mount /dev/disk/by-id/*WORK /work";
  const outcome = await installServer(
    server,
    {
      job: { ...withoutMirror, image, disks: { count: 2, match: { serial: ["LAB0", "LAB1"] } } },
      files,
      shares: { "/srv/own": stage.mirror },
      prefix: ["sh", "-ec", `${prepared}; METALCAST_WORK=/work exec "$@"`, "prepare"],
    },
    () => {},
  );
  expect(outcome).toEqual({ exitCode: 0, messages: [] });
  await using booted = await server.boot({ firmware: "uefi" });
  expect(await stage.waitForReport(instance, booted)).toMatchObject({ hostname: "own-1", cloudInit: "done" });
});
