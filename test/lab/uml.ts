import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { run } from "../../common/run.ts";
import { cached } from "./cache.ts";
import { cardAddress, type ServerHardware } from "./hardware.ts";
import { forwardToLoopback } from "./loopback.ts";
import { type Machine, startMachine } from "./machine.ts";
import { buildLayer, type RescueCommand } from "./rescue-layer.ts";
import type { RescueSystem } from "./rescue-system.ts";

const host = fileURLToPath(new URL("./uml-host.sh", import.meta.url));
const stateLibrary = fileURLToPath(new URL("./uml-xstate.c", import.meta.url));

/**
 * Starts the rescue system on User Mode Linux: a real kernel as a process, several times quicker than an emulated
 * processor. It has no firmware to speak of, so the installer sees a server with a BIOS.
 *
 * @param hostPorts services on the host's 127.0.0.1 that the server reaches at 10.0.2.2, by port
 */
export async function startUserModeLinux(
  system: RescueSystem,
  { name, directory, disks, memoryMiB }: ServerHardware,
  command: RescueCommand,
  hostPorts: readonly number[],
): Promise<Machine> {
  const initramfs = await buildLayer(
    system,
    directory,
    command,
    (path) => ["-t", "hostfs", "-o", `ro,${path}`, "hostfs"],
    {
      "/usr/lib/lab/scsi-disks": await readFile(new URL("./rescue/scsi-disks.sh", import.meta.url), "utf8"),
      // QEMU's names for the same disks, so that what was installed here is found there.
      "/etc/udev/rules.d/61-lab.rules": `${disks.map(({ serial }) => link(serial)).join("\n")}\n`,
    },
  );
  const forward = await forwardToLoopback(directory, hostPorts);
  const machine = startMachine({
    name,
    program: "unshare",
    args: [
      ...[
        "--net",
        "--pid",
        "--mount-proc",
        "--fork",
        "--kill-child",
        "taskset",
        "--cpu-list",
        await nextProcessor(),
        host,
        forward.directory,
        hostPorts.join(" "),
      ],
      ...["linux", `mem=${memoryMiB}M`, `initrd=${initramfs}`, "quiet", "con=null", "con0=fd:0,fd:1"],
      // The target of a disk that is made to fail has a word for every write, and the kernel's room for words is 16 KiB.
      "log_buf_len=1M",
      ...[`vec0:transport=tap,ifname=tap0,mac=${cardAddress},depth=128,gro=1`, `uml_dir=${directory}`],
      `lab_base=${system.root}`,
      `lab_disks=${disks.map(({ file, serial, sectorBytes }) => `${file}:${serial}:${sectorBytes}`).join(",")}`,
    ],
    logFile: `${directory}/rescue.log`,
    // User Mode Linux keeps its memory in a file.
    env: { TMPDIR: "/dev/shm", LD_PRELOAD: await buildStateLibrary() },
  });
  machine.exit.finally(() => forward.close()).catch(() => undefined);
  return machine;
}

/** What lets the kernel run on processors that are newer than it: see its source. */
async function buildStateLibrary(): Promise<string> {
  const source = await readFile(stateLibrary, "utf8");
  return cached("uml-xstate", source, async (path) => {
    const options = ["-shared", "-nostdlib", "-o", path, stateLibrary];
    await run("tcc", options, { doing: "compiling a library for User Mode Linux" });
  });
}

/** Of each process, another one: several may run servers at the same time. */
let started = process.pid;

/**
 * One processor for each server, in turn: the kernel and the processes that it traces never run at the same time, and a
 * change between them costs several times more across two processors.
 */
async function nextProcessor(): Promise<string> {
  const { stdout } = await run("taskset", ["--cpu-list", "--pid", String(process.pid)], {
    doing: "listing the processors",
  });
  const ranges = (stdout.split(": ")[1] ?? "0").split(",").map((range) => range.split("-").map(Number));
  const processors = ranges.flatMap(([first = 0, last = first]) =>
    Array.from({ length: last - first + 1 }, (_, index) => first + index),
  );
  started += 1;
  return String(processors[started % processors.length] ?? 0);
}

function link(serial: string): string {
  const name = `disk/by-id/scsi-0QEMU_QEMU_HARDDISK_${serial}`;
  return [
    `KERNEL=="sd*", ENV{DEVTYPE}=="disk", ENV{ID_SCSI_SERIAL}=="${serial}", SYMLINK+="${name}"`,
    `KERNEL=="sd*", ENV{DEVTYPE}=="partition", ENV{ID_SCSI_SERIAL}=="${serial}", SYMLINK+="${name}-part%n"`,
  ].join("\n");
}
