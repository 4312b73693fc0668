import { readFile, rm } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { asFailure } from "../../../common/failure.ts";
import type { Firmware } from "../../lab/hardware.ts";
import { type BootedServer, wasStarved } from "../../lab/qemu.ts";
import type { Server } from "../../lab/server.ts";
import { labelsProgram } from "../labels-program.ts";
import { debian12, installServer, openCastStage } from "../scenario.ts";
import type { Stage } from "../stage.ts";
import { type BootCase, bootCases, passphrase } from "./boot-cases.ts";
import { type Boot, recordBootResult } from "./boot-results.ts";
import { reinstallBootLoaders } from "./reinstall.ts";

/**
 * Every layout, installed under the first firmware over what somebody else left, boots under each firmware and with each
 * disk pulled; so it does after the system's own package manager has put kernel and boot loaders there once more. The
 * results go to docs/boot-matrix.json.
 */
let stage: Stage;

const defaultDiskBytes = 5 * 2 ** 30;
const bootLimitMs = 15 * 60_000;

beforeAll(async () => {
  stage = await openCastStage(debian12);
});

afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
});

test.concurrent.each(bootCases)("$name", { timeout: 4 * 60 * 60_000 }, async (bootCase) => {
  const { name, over, firmware, redundant, reinstall, disks } = bootCase;
  const instance = { hostname: name, uuid: crypto.randomUUID(), userData: "#cloud-config\n{}\n" };
  const server = await install(bootCase, instance);
  const boots: Boot[] = [];
  const attempt = async (boot: Omit<Boot, "outcome">, work: () => Promise<string>) => {
    boots.push({ ...boot, outcome: await work().catch((error: unknown) => asFailure(error, "booting").message) });
  };
  const look = (booted: BootedServer, boot: Omit<Boot, "outcome">) => inspect(booted, bootCase, instance.uuid, boot);

  const [first, ...others] = firmware;
  const intact = { firmware: first, pulled: null, reinstalled: false };
  let kernel = "unknown";
  await attempt(intact, async () => {
    await using booted = await start(server, bootCase, { firmware: first });
    expect(await stage.waitForReport(instance, booted)).toMatchObject({ cloudInit: "done" });
    const outcome = await look(booted, intact);
    kernel = (await booted.ssh("debian", stage.keyFile, "uname -r")).stdout.trim();
    await booted.powerOff(bootLimitMs);
    return outcome;
  });

  const pulls = redundant ? Array.from({ length: disks }, (_, position) => position) : [];
  const bootAll = async (planned: readonly Omit<Boot, "outcome">[]) => {
    for (const boot of planned) {
      const removedDisks = boot.pulled === null ? [] : [boot.pulled];
      const options = { firmware: boot.firmware, removedDisks, snapshot: true, forgetEntries: true };
      await attempt(boot, async () => {
        for (let tries = 1; ; tries += 1) {
          await using booted = await start(server, bootCase, options);
          await booted.waitForLine(/Queued start job/, bootLimitMs);
          // What such a boot writes is thrown away, so that it can be had once more as it was.
          if (tries === 3 || !wasStarved(booted)) return await look(booted, boot);
        }
      });
    }
  };
  const pulled = (reinstalled: boolean) =>
    firmware.flatMap((kind) => pulls.map((position) => ({ firmware: kind, pulled: position, reinstalled })));
  await bootAll([...others.map((kind) => ({ firmware: kind, pulled: null, reinstalled: false })), ...pulled(false)]);

  if (reinstall) {
    const again = { firmware: first, pulled: null, reinstalled: true };
    await attempt(again, async () => {
      await using booted = await start(server, bootCase, { firmware: first });
      await booted.sshWhenUp("debian", stage.keyFile, "true", bootLimitMs);
      await reinstallBootLoaders(booted, stage.keyFile);
      await booted.powerOff(bootLimitMs);
      return "up";
    });
    await bootAll(pulled(true));
  }

  recordBootResult({ case: name, over, ranAt: new Date().toISOString().slice(0, 10), kernel, boots });
  await rm(server.hardware.directory, { recursive: true });
  expect(boots.filter(({ outcome }) => outcome !== "up")).toEqual([]);
});

interface Instance {
  hostname: string;
  uuid: string;
  userData: string;
}

async function install(bootCase: BootCase, instance: Instance): Promise<Server> {
  const { name, disks, spareDisk, sectorBytes, bus, diskBytes = defaultDiskBytes, storage, over } = bootCase;
  const { wipeDepth: depth = "signatures" } = bootCase;
  const serials = Array.from({ length: disks }, (_, position) => `LAB${position}`);
  const all = [...serials, ...(spareDisk ? ["SPARE"] : [])];
  const server = await stage.makeServer(
    name,
    all.map((serial) => ({ serial, sizeBytes: diskBytes, ...(sectorBytes && { sectorBytes }), ...(bus && { bus }) })),
  );
  const { job, files } = await stage.makeJob(instance, "file:///srv/mirror");
  const installation = {
    job: { ...job, storage, disks: { count: disks, match: { serial: serials } }, wipe: { held: "take-apart", depth } },
    files: { ...files, passphrase, "labels.mjs": labelsProgram, ...staleConfigDrive },
    prefix: ["/root/make-dirty", over],
    rescueFiles: { "/root/make-dirty": await readFile(new URL("./make-dirty.sh", import.meta.url), "utf8") },
    shares: { "/srv/mirror": stage.mirror },
    firmware: bootCase.firmware[0],
  };
  const { exitCode, messages } = await installServer(server, installation, () => {});
  if (exitCode !== 0) throw new Error(`${name} was not installed (${exitCode}):\n${messages.join("\n")}`);
  return server;
}

/** Of another instance, whose name would show. */
const staleConfigDrive = {
  "old/openstack/latest/meta_data.json": JSON.stringify({ uuid: crypto.randomUUID(), hostname: "old", name: "old" }),
};

/** Starts it and unlocks it, if need be. */
async function start(server: Server, bootCase: BootCase, options: { firmware: Firmware }): Promise<BootedServer> {
  const booted = await server.boot(options);
  if (bootCase.locked) await booted.answer(/unlock disk secret/, passphrase, bootLimitMs);
  return booted;
}

/** @returns `up`, or what is not as it should be */
async function inspect(
  booted: BootedServer,
  { name, root, sectorBytes }: BootCase,
  uuid: string,
  { firmware, pulled }: Omit<Boot, "outcome">,
): Promise<string> {
  const questions = [
    "hostname",
    "findmnt --noheadings --raw --output SOURCE,FSTYPE /",
    "test -d /sys/firmware/efi && echo uefi || echo bios",
    "sudo cat /var/lib/cloud/data/instance-id",
    "lsblk --nodeps --noheadings --output LOG-SEC | sort --unique | tr --delete ' '",
    "grep -c '\\[.*_.*\\]$' /proc/mdstat",
    "systemctl list-units --failed --plain --no-legend",
  ];
  const asked = questions.join("; ");
  const { stdout } = await booted
    .sshWhenUp("debian", stage.keyFile, `${asked}; true`, bootLimitMs)
    .catch((error: unknown) => {
      process.stderr.write(`${name}, last lines of the console:\n${booted.lines.slice(-30).join("\n")}\n`);
      throw error;
    });
  const [hostname = "", source = "", started = "", instance = "", sector = "", degraded = "", ...failed] =
    stdout.split("\n");
  const right =
    hostname === name &&
    root.test(source) &&
    started === firmware &&
    instance === uuid &&
    sector === String(sectorBytes ?? 512) &&
    (pulled === null ? degraded === "0" : Number(degraded) > 0) &&
    failed.length === 0;
  return right ? "up" : stdout;
}
