import { Failure } from "../../common/failure.ts";
import type { Command } from "../step.ts";
import type { WipeAction } from "./action.ts";
import { clearDevice } from "./clear-device.ts";
import type { StackedDevice } from "./parse-stack.ts";
import { devicesOn, liesWithin, listLabels, type NamedDisk, stablePath } from "./relations.ts";

/**
 * What releases these disks, from the top of the stack down: swap, mounts, then each layer before what it lies on.
 * Nothing if the disks are free. The content of an array goes before the array does, or one that is made anew at its
 * place would show it again; its members are cleared as soon as it has stopped. Of an array that has members elsewhere
 * too, only those on these disks are cleared, and its content stays for the others.
 *
 * Mappings go by device-mapper's own names, never by those of volume groups: two groups may share a name.
 *
 * @throws Failure `disk-holds-running-system` (refused)
 */
export function takeApart(stack: readonly StackedDevice[], disks: readonly NamedDisk[]): WipeAction[] {
  const names = disks.map(({ name }) => name);
  const devices = devicesOn(stack, names);
  const running = devices.find((device) => device.mountPoints.includes("/"));
  if (running) {
    throw new Failure({
      code: "disk-holds-running-system",
      kind: "refused",
      message: `refusing to take ${listLabels(disks)} apart: the running system's ${running.name} lies there`,
      hint: "name other disks in disks.match",
    });
  }
  const swaps = new Set(devices.flatMap((device) => device.swaps));
  const mountPoints = new Set(devices.flatMap((device) => device.mountPoints));
  return [
    ...[...swaps].map((path) => act("swapoff", path)),
    ...deepestFirst([...mountPoints]).map((path) => act("umount", "--recursive", path)),
    ...devices.flatMap((device, index) => [
      ...stopBcache(device, devices.slice(0, index)),
      ...dismantle(device, { stack, disks, names }),
    ]),
  ];
}

interface Surroundings {
  stack: readonly StackedDevice[];
  disks: readonly NamedDisk[];
  names: readonly string[];
}

const act = (...command: Command): WipeAction => ({ kind: "run", command });

function deepestFirst(paths: readonly string[]): string[] {
  const depth = (path: string) => path.split("/").length;
  return paths.toSorted((a, b) => depth(b) - depth(a) || (a < b ? -1 : 1));
}

/** A bcache device and its backing device share one file, and all members of a cache set another. */
function stopBcache({ bcacheStop }: StackedDevice, before: readonly StackedDevice[]): WipeAction[] {
  if (bcacheStop === undefined || before.some((device) => device.bcacheStop === bcacheStop)) return [];
  return [{ kind: "set", path: bcacheStop, value: "1" }];
}

function dismantle(device: StackedDevice, { stack, disks, names }: Surroundings): WipeAction[] {
  const { name, kind, mappingName = name, on } = device;
  const isOurs = liesWithin(stack, name, names);
  const lowerDevices = stack.filter((lower) => on.includes(lower.name));
  switch (kind) {
    case "mapping":
      return [act("dmsetup", "remove", "--retry", mappingName)];
    case "array":
      return [
        ...freeze(device),
        // Until udev has looked at what was written, it keeps the array from stopping.
        ...(isOurs && takesWrites(device) ? [...clearDevice(device, name), act("udevadm", "settle")] : []),
        act("mdadm", "--stop", name),
        ...lowerDevices
          .filter((member) => member.kind !== "array" && liesWithin(stack, member.name, names))
          .flatMap((member) => clearDevice(member, stablePath(member, disks))),
      ];
    case "partition":
      // A disk's partitions are cleared with the disk; an array's would be out of reach once it has stopped.
      return isOurs && lowerDevices.some((lower) => lower.kind === "array") ? clearDevice(device, name) : [];
    case "bcache":
    case "disk":
      return [];
  }
}

/** Documentation/admin-guide/md.rst, `array_state`: what takes reads and writes. */
function takesWrites({ array, sizeBytes }: StackedDevice): boolean {
  return sizeBytes > 0 && ["clean", "active", "active-idle", "write-pending", "read-auto"].includes(array?.state ?? "");
}

/** A resync or a rebuild keeps an array from stopping, and starts again by itself unless it is frozen. */
function freeze({ name, array }: StackedDevice): WipeAction[] {
  if (!/^raid([1456]|10)$/.test(array?.level ?? "") || array?.state === "inactive") return [];
  return [act("mdadm", "--action=idle", name), act("mdadm", "--action=frozen", name)];
}
