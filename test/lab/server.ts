import { mkdir, open, truncate } from "node:fs/promises";
import type { Firmware, LabDisk, ServerHardware } from "./hardware.ts";
import type { Machine } from "./machine.ts";
import { type BootedServer, type BootOptions, bootFromDisks, startRescueInQemu } from "./qemu.ts";
import { type CommandOptions, type CommandResult, followCommand } from "./rescue-command.ts";
import type { RescueCommand } from "./rescue-layer.ts";
import { buildRescueSystem } from "./rescue-system.ts";
import { startUserModeLinux } from "./uml.ts";

export interface DiskOptions {
  sizeBytes: number;
  serial: string;
  /** Default: 512. */
  sectorBytes?: LabDisk["sectorBytes"];
  /** Default: SCSI. */
  bus?: LabDisk["bus"];
}

export interface ServerOptions {
  name: string;
  /** For the server's disks, firmware variables and logs; made if absent. Short: sockets lie in it. */
  directory: string;
  disks: readonly DiskOptions[];
  memoryMiB: number;
}

export interface RescueRun extends RescueCommand, CommandOptions {
  /** What it may reach at 10.0.2.2. QEMU lets it reach all of the host's ports. */
  hostPorts?: readonly number[];
}

/** A server that does not exist: blank disks, a plug, a console. Everything it runs ends with it. */
export interface Server extends AsyncDisposable {
  readonly hardware: ServerHardware;
  /** Runs a command in the rescue system in User Mode Linux: several times quicker, where processes are cheap. */
  runRescue(options: RescueRun): Promise<CommandResult>;
  /** The same in QEMU, with firmware: the reference. */
  bootRescue(options: Omit<RescueRun, "hostPorts"> & { firmware: Firmware }): Promise<CommandResult>;
  /** Starts the server from its own disks, in QEMU. */
  boot(options: BootOptions): Promise<BootedServer>;
}

/** Puts a server together, with blank disks where its directory has none yet. */
export async function createServer({ name, directory, disks, memoryMiB }: ServerOptions): Promise<Server> {
  await mkdir(directory, { recursive: true });
  const labDisks: LabDisk[] = [];
  for (const [position, { sizeBytes, serial, sectorBytes = 512, bus = "scsi" }] of disks.entries()) {
    const file = `${directory}/disk-${position}.raw`;
    await (await open(file, "a")).close();
    await truncate(file, sizeBytes);
    labDisks.push({ file, serial, sectorBytes, bus });
  }
  const hardware: ServerHardware = { name, directory, disks: labDisks, memoryMiB };
  const machines = new Set<Machine>();
  const plugIn = <M extends Machine>(machine: M): M => {
    machines.add(machine);
    machine.exit.then(
      () => machines.delete(machine),
      () => machines.delete(machine),
    );
    return machine;
  };

  return {
    hardware,
    async runRescue({ hostPorts = [], ...run }) {
      const system = await buildRescueSystem();
      return followCommand(plugIn(await startUserModeLinux(system, hardware, run, hostPorts)), run);
    },
    async bootRescue({ firmware, ...run }) {
      const system = await buildRescueSystem();
      return followCommand(plugIn(await startRescueInQemu(system, hardware, firmware, run)), run);
    },
    boot: async (options) => plugIn(await bootFromDisks(hardware, options)),
    async [Symbol.asyncDispose]() {
      await Promise.all([...machines].map((machine) => machine.cut()));
    },
  };
}
