import { Failure } from "../../common/failure.ts";
import type { Disk } from "../hardware.ts";
import { labelDisk } from "../label-disk.ts";
import type { StackedDevice } from "../wipe/parse-stack.ts";
import { disksBelow } from "../wipe/relations.ts";
import type { Layout } from "./layout.ts";

/**
 * LVM finds volume groups by name, and the installed server finds its root by that of its group: two of one name cannot
 * be told apart. An open mapping of a name keeps another from being opened.
 * @param disks all that the machine has; `taken` is what the job takes of them
 * @throws Failure `volume-group-name-taken`, `mapping-name-taken` (configuration) where disks that the job does not take
 *   hold one of the layout's names
 */
export function refuseTakenNames(
  { volumeGroups, encrypted }: Pick<Layout, "volumeGroups" | "encrypted">,
  stack: readonly StackedDevice[],
  disks: readonly Disk[],
  taken: readonly Disk[],
): void {
  const takenNames = taken.map(({ name }) => name);
  const foreignBelow = ({ name }: StackedDevice) =>
    disks
      .filter((disk) => !takenNames.includes(disk.name) && disksBelow(stack, name).includes(disk.name))
      .map(labelDisk);
  for (const device of stack) {
    const places = foreignBelow(device).join(", ");
    if (places === "") continue;
    const group = device.partOf.find(
      ({ kind, name }) => kind === "volume group" && volumeGroups.some((own) => own.name === name),
    );
    if (group) throw groupTaken(group.name, group.uuid, places);
    const mapping = encrypted.find(({ name }) => name === device.mappingName);
    if (mapping) throw mappingTaken(mapping.name, places);
  }
}

function groupTaken(name: string, uuid: string, places: string): Failure {
  return new Failure({
    code: "volume-group-name-taken",
    kind: "configuration",
    message: `laying out the volume group ${name}: there is one of that name on ${places}, which the job does not take, and LVM could not tell the two apart`,
    hint: `rename that one, \`vgrename ${uuid} NAME\`, have the job take its disks too, or give another name in storage.lvm`,
    data: { uuid },
  });
}

function mappingTaken(name: string, places: string): Failure {
  return new Failure({
    code: "mapping-name-taken",
    kind: "configuration",
    message: `laying out the encrypted volume ${name}: /dev/mapper/${name} is open on ${places}, which the job does not take`,
    hint: `close it, \`cryptsetup close ${name}\`, or give another name in storage.luks`,
  });
}
