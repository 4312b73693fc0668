import { describe, expect, test } from "vitest";
import { chooseDisks } from "../../installer/choose-disks.ts";
import { tableUuid } from "../../installer/storage/partition.ts";
import { targetDirectory as target } from "../../installer/target-directory.ts";
import type { StackedDevice } from "../../installer/wipe/stack.ts";
import { sampleDevice, sampleDisk, sampleHardware, sampleJob } from "./samples.ts";

const uuid = "11111111-2222-4333-8444-555555555555";

/** Two disks under one assembled array, as udev leaves them in a rescue system. */
function assembled({ of = uuid, array = {} }: { of?: string; array?: Partial<StackedDevice> } = {}) {
  const disks = ["a", "b"].map((letter) => {
    const disk = sampleDisk(letter, { heldBy: ["/dev/md127 (raid1) is active on it"] });
    return { ...disk, tableUuid: tableUuid(disk, of) };
  });
  const stack = [
    ...disks.map(({ name }) => sampleDevice(name, "disk", [])),
    ...disks.map(({ name }) => sampleDevice(`${name}4`, "partition", [name])),
    sampleDevice("/dev/md127", "array", ["/dev/sda4", "/dev/sdb4"], array),
  ];
  return sampleHardware({ disks, stack });
}

const choose = (hardware: ReturnType<typeof sampleHardware>, job: Record<string, unknown> = {}) =>
  chooseDisks(sampleJob({ instance: { hostname: "web-1", uuid }, ...job }), hardware, 0);

test("free disks are taken as the job says", () => {
  expect(choose(sampleHardware())).toMatchObject({ instanceUuid: uuid, wipe: { held: "refuse" } });
});

describe("an earlier installation of the same instance is taken apart", () => {
  test.each([
    ["assembled by udev", {}],
    ["still mounted where the installer had it", { mountPoints: [target, `${target}/boot`, `${target}-esp`] }],
  ])("%s", (_, array) => {
    const { groups, wipe } = choose(assembled({ array }));
    expect(wipe.held).toBe("take-apart");
    expect(groups[0]?.disks).toHaveLength(2);
  });

  test("also where the machine's identity is the instance's", () => {
    const instance = { hostname: "web-1" };
    const { instanceUuid } = choose(sampleHardware(), { instance });
    expect(choose(assembled({ of: instanceUuid }), { instance }).wipe.held).toBe("take-apart");
  });
});

describe("what else holds a disk is refused", () => {
  test.each<[string, Parameters<typeof assembled>[0]]>([
    ["another instance's array", { of: "99999999-2222-4333-8444-555555555555" }],
    ["its own, mounted by somebody", { array: { mountPoints: ["/mnt"] } }],
    ["its own, mounted where the name only begins alike", { array: { mountPoints: ["/run/metalcast/targets"] } }],
    ["its own, as swap", { array: { swaps: ["/dev/md127"] } }],
  ])("%s", (_, state) => {
    expect(() => choose(assembled(state))).toThrow(expect.objectContaining({ code: "disk-held", kind: "refused" }));
  });
});
