import { once } from "node:events";
import { constants } from "node:fs";
import { copyFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { type RunResult, run } from "../../common/run.ts";
import type { Firmware, LabDisk, ServerHardware } from "./hardware.ts";
import { hasWorkingKvm } from "./kvm.ts";
import { freePort } from "./loopback.ts";
import { type Machine, startMachine } from "./machine.ts";
import { buildLayer, type RescueCommand } from "./rescue-layer.ts";
import type { RescueSystem } from "./rescue-system.ts";

export interface BootOptions {
  firmware: Firmware;
  /** Positions of disks that are pulled out before power on. */
  removedDisks?: readonly number[];
  /** What this boot writes is thrown away, so that several can start from one installation, also side by side. */
  snapshot?: boolean;
  /** UEFI starts with no boot entries at all, as after a change of the mainboard: it looks for the fallback path. */
  forgetEntries?: boolean;
}

export interface BootedServer extends Machine {
  /** Presses the power button and waits until the server is off. @throws Error when it had to be cut after the time */
  powerOff(timeoutMs: number): Promise<void>;
  /** Runs a command line as the user by SSH. @throws Failure `command-failed` */
  ssh(user: string, keyFile: string, commandLine: string): Promise<RunResult>;
  /**
   * Tries `ssh` until it succeeds: a person can log in then.
   * @throws Failure of the last attempt, once the time is over or the server is off
   */
  sshWhenUp(user: string, keyFile: string, commandLine: string, timeoutMs: number): Promise<RunResult>;
}

/**
 * QEMU goes before all else: a server that is starved of processor time is none. systemd ends its generators after 90 s
 * (src/core/manager.c, `manager_run_generators`), and the server comes up without its fstab and without cloud-init.
 */
const emulator = { program: "nice", args: ["--adjustment=-10", "qemu-system-x86_64"] };

/**
 * Whether systemd had to end its generators, by what the console shows: the boot says nothing of the server then, only
 * that this machine gave it too little time.
 */
export function wasStarved({ lines }: Pick<Machine, "lines">): boolean {
  const secondsAt = (pattern: RegExp) => {
    const line = lines.findLast((text) => pattern.test(text));
    return Number(/^\[\s*(\d+\.\d+)\]/.exec(line ?? "")?.[1]);
  };
  return (
    secondsAt(/systemd\[1\]: Queued start job/) - secondsAt(/systemd\[1\]: systemd .* running in system mode/) > 60
  );
}

/**
 * A kernel argument that spares an emulator time. Of each address that a program is loaded to it keeps a translation, and
 * every write to a page goes through all that it has of the page: with addresses at random, and programs that are started
 * again and again while an array is waited for, clearing the pages of their initramfs took minutes.
 */
export const steadyAddresses = "norandmaps";

/** Starts a server from its own disks. The host's 127.0.0.1 is at 10.0.2.2 for it. */
export async function bootFromDisks(hardware: ServerHardware, options: BootOptions): Promise<BootedServer> {
  const sshPort = await freePort();
  const monitor = `${hardware.directory}/monitor-${sshPort}`;
  const machine = startMachine({
    name: hardware.name,
    ...emulator,
    args: [
      ...emulator.args,
      ...(await machineArguments(hardware, options)),
      ...[
        "-netdev",
        `user,id=network,hostfwd=tcp:127.0.0.1:${sshPort}-:22`,
        "-monitor",
        `unix:${monitor},server=on,wait=off`,
      ],
    ],
    logFile: `${hardware.directory}/console-${options.firmware}-${sshPort}.log`,
  });
  const settings = ["BatchMode=yes", "ConnectTimeout=30", "LogLevel=ERROR", "StrictHostKeyChecking=no"];
  const flags = [...settings, "UserKnownHostsFile=/dev/null"].flatMap((setting) => ["-o", setting]);
  const ssh = (user: string, keyFile: string, commandLine: string) =>
    run("ssh", ["-i", keyFile, "-p", String(sshPort), ...flags, `${user}@127.0.0.1`, commandLine], {
      doing: `running a command on ${hardware.name}`,
    });
  return {
    ...machine,
    [Symbol.asyncDispose]: () => machine.cut(),
    async powerOff(timeoutMs) {
      const connection = createConnection(monitor);
      await once(connection, "connect");
      connection.end("system_powerdown\n");
      connection.resume();
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        void machine.cut();
      }, timeoutMs);
      await machine.exit;
      clearTimeout(timer);
      if (late)
        throw new Error(`${hardware.name} was still on ${timeoutMs / 1000} s after its power button was pressed`);
    },
    ssh,
    async sshWhenUp(user, keyFile, commandLine, timeoutMs) {
      const deadline = performance.now() + timeoutMs;
      let isOff = false;
      machine.exit.then(() => {
        isOff = true;
      });
      for (;;) {
        try {
          return await ssh(user, keyFile, commandLine);
        } catch (error) {
          if (isOff || performance.now() > deadline) throw error;
          // QEMU answers for a server that does not listen yet, and resets at once.
          await pause(5000);
        }
      }
    },
  };
}

/**
 * Starts the rescue system on the reference machine: Debian's kernel, real firmware, every instruction emulated if need
 * be.
 */
export async function startRescueInQemu(
  system: RescueSystem,
  hardware: ServerHardware,
  firmware: Firmware,
  command: RescueCommand,
): Promise<Machine> {
  const shares = Object.values(command.shares ?? {});
  const initramfs = await buildLayer(system, hardware.directory, command, (_, index) => [
    ...["-t", "9p", "-o", "ro,trans=virtio,version=9p2000.L,msize=1048576", `share${index}`],
  ]);
  return startMachine({
    name: hardware.name,
    ...emulator,
    args: [
      ...emulator.args,
      ...(await machineArguments(hardware, { firmware })),
      ...["-netdev", "user,id=network", "-no-reboot"],
      ...[
        "-kernel",
        system.kernel,
        "-initrd",
        initramfs,
        "-append",
        `console=ttyS0 quiet panic=-1 ${steadyAddresses} lab_base=/dev/vda`,
      ],
      ...["-drive", `if=virtio,format=raw,readonly=on,file=${system.disk}`],
      ...shares.flatMap((path, index) => [
        ...["-virtfs", `local,path=${path},mount_tag=share${index},security_model=none,readonly=on`],
      ]),
    ],
    logFile: `${hardware.directory}/rescue-${firmware}.log`,
  });
}

async function machineArguments(hardware: ServerHardware, options: BootOptions): Promise<string[]> {
  const { firmware, removedDisks = [], snapshot = false, forgetEntries = false } = options;
  // Emulated, two processors can run an instruction that a kernel is rewriting (its jump labels): it panics, now and then.
  const processors = (await hasWorkingKvm())
    ? ["-accel", "kvm", "-cpu", "host", "-smp", "2"]
    : ["-accel", "tcg", "-smp", "1"];
  const disks = hardware.disks.flatMap((disk, position) => {
    if (removedDisks.includes(position)) return [];
    const drive = `if=none,id=disk${position},format=raw,discard=unmap,cache=unsafe,snapshot=${onOff(snapshot)},file=${disk.file}`;
    // SeaBIOS tries one disk only, unless told an order (a rescue kernel takes 0); UEFI has its own in the variables.
    return ["-drive", drive, ...diskArguments(disk, position, firmware === "bios" ? `,bootindex=${position + 1}` : "")];
  });
  return [
    ...["-name", hardware.name, "-machine", "q35", ...processors, "-m", `${hardware.memoryMiB}M`],
    ...["-nodefaults", "-no-user-config", "-display", "none", "-rtc", "base=utc", "-device", "virtio-rng-pci"],
    ...["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"],
    ...(firmware === "uefi" ? await firmwareArguments(hardware, snapshot, forgetEntries) : []),
    ...disks,
    ...["-device", "virtio-net-pci,netdev=network,romfile="],
  ];
}

/** A disk keeps its slot, and so its UEFI path, when another one is pulled. */
function diskArguments({ bus, serial, sectorBytes }: LabDisk, position: number, order: string): string[] {
  const slot = `addr=0x${(0x10 + position).toString(16)}`;
  const drive = `drive=disk${position},serial=${serial},logical_block_size=${sectorBytes},physical_block_size=${sectorBytes}${order}`;
  switch (bus) {
    case "scsi": {
      // A controller for each disk: OVMF finds no disk on a controller whose first target is missing.
      const controller = `virtio-scsi-pci,id=scsi${position},${slot}`;
      return ["-device", controller, "-device", `scsi-hd,bus=scsi${position}.0,${drive}`];
    }
    case "nvme":
      return ["-device", `nvme,${slot},${drive}`];
    case "virtio":
      return ["-device", `virtio-blk-pci,${slot},${drive}`];
  }
}

async function firmwareArguments(
  { directory }: ServerHardware,
  snapshot: boolean,
  forgetEntries: boolean,
): Promise<string[]> {
  const blank = "/usr/share/OVMF/OVMF_VARS_4M.fd";
  const own = `${directory}/uefi-variables.fd`;
  await copyFile(blank, own, constants.COPYFILE_EXCL).catch(ignoreExisting);
  const variables = forgetEntries ? `snapshot=on,file=${blank}` : `snapshot=${onOff(snapshot)},file=${own}`;
  return [
    ...["-drive", "if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd"],
    ...["-drive", `if=pflash,unit=1,format=raw,${variables}`],
  ];
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== "EEXIST") throw error;
}

const onOff = (value: boolean) => (value ? "on" : "off");
