import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Step } from "../../../installer/step.ts";
import { formatAction, type WipeAction } from "../../../installer/wipe/action.ts";
import type { StackedDevice, Whole } from "../../../installer/wipe/parse-stack.ts";
import { wipeSteps } from "../../../installer/wipe/plan-wipe.ts";
import { disksBelow } from "../../../installer/wipe/relations.ts";
import { sampleDevice as device, sampleDisk } from "../samples.ts";

const [a, b, c] = [sampleDisk("a"), sampleDisk("b"), sampleDisk("c")];
const [sda, sdb, sdc] = ["a", "b", "c"].map((letter) => device(`/dev/sd${letter}`, "disk", []));
const disks = [sda, sdb, sdc].filter((disk) => disk !== undefined);
const refuse = { depth: "signatures", held: "refuse" } as const;
const takeApart = { depth: "signatures", held: "take-apart" } as const;

const actionsOf = (step: Step): readonly WipeAction[] =>
  step.kind === "wipe" || step.kind === "take-apart" ? step.actions : [];
const printed = (steps: readonly Step[]) => steps.map((step) => [step.name, ...actionsOf(step).map(formatAction)]);

/** Without the many that clear one device. */
const outline = (step: Step | undefined) =>
  (step ? actionsOf(step) : [])
    .map(formatAction)
    .filter((line) => !line.startsWith("blkdiscard"))
    .map((line) => line.replace("wipefs --all --quiet", "wipefs"));

test("a blank disk: both ends, and what lies between", () => {
  expect(printed(wipeSteps([a], disks, refuse))).toEqual([
    [
      "wipe-1",
      "blkdiscard --zeroout --offset 0 --length 1048576 /dev/disk/by-id/ata-SAMPLE_A",
      "blkdiscard --zeroout --offset 1072693248 --length 1048576 /dev/disk/by-id/ata-SAMPLE_A",
      "wipefs --all --quiet /dev/disk/by-id/ata-SAMPLE_A",
      "udevadm settle",
    ],
  ]);
});

test("partitions are cleared by their stable names while these exist, then the table goes", () => {
  const links = ["/dev/disk/by-id/lvm-pv-uuid-X", "/dev/disk/by-id/ata-SAMPLE_A-part1"];
  const signatures = [{ type: "btrfs", offset: 65_600, uuid: "7b", label: "" }];
  const stack = [
    ...disks,
    device("/dev/sda1", "partition", ["/dev/sda"], { links, signatures, contentOffset: 2 ** 21 }),
    device("/dev/sda2", "partition", ["/dev/sda"], { sizeBytes: 1024 }),
  ];
  const [wipe] = printed(wipeSteps([a], stack, refuse));
  expect(wipe?.slice(1, 9)).toEqual([
    "blkdiscard --zeroout --offset 2097152 --length 1048576 /dev/disk/by-id/ata-SAMPLE_A-part1",
    "blkdiscard --zeroout --offset 67108864 --length 4096 /dev/disk/by-id/ata-SAMPLE_A-part1",
    "blkdiscard --zeroout --offset 0 --length 1048576 /dev/disk/by-id/ata-SAMPLE_A-part1",
    "blkdiscard --zeroout --offset 1072693248 --length 1048576 /dev/disk/by-id/ata-SAMPLE_A-part1",
    "wipefs --all --quiet /dev/disk/by-id/ata-SAMPLE_A-part1",
    "blkdiscard --zeroout --offset 0 --length 1024 /dev/sda2",
    "wipefs --all --quiet /dev/sda2",
    "blkdiscard --zeroout --offset 0 --length 1048576 /dev/disk/by-id/ata-SAMPLE_A",
  ]);
  expect(wipe?.slice(-3)).toEqual([
    "udevadm settle",
    "blockdev --rereadpt /dev/disk/by-id/ata-SAMPLE_A",
    "udevadm settle",
  ]);
});

/** Swap in LVM in LUKS on a mirror with a partition; a foreign group of the same name. */
const tower = [
  ...disks,
  device("/dev/sda1", "partition", ["/dev/sda"]),
  device("/dev/sdb1", "partition", ["/dev/sdb"]),
  device("/dev/md127", "array", ["/dev/sda1", "/dev/sdb1"]),
  device("/dev/md127p1", "partition", ["/dev/md127"]),
  device("/dev/dm-0", "mapping", ["/dev/md127p1"], { mappingName: "secret" }),
  device("/dev/dm-1", "mapping", ["/dev/dm-0"], { mappingName: "vg0-root", mountPoints: ["/mnt", "/mnt/deep/er"] }),
  device("/dev/dm-2", "mapping", ["/dev/dm-0"], { mappingName: "vg0-swap", swaps: ["/dev/dm-2"] }),
  device("/dev/dm-3", "mapping", ["/dev/sdc"], { mappingName: "vg0-data", mountPoints: ["/data"] }),
];

test("a stack is taken apart from the top: swap, mounts, each layer's content before the layer", () => {
  const [first, ...wipes] = wipeSteps([a, b], tower, takeApart);
  expect(first?.name).toBe("take-apart");
  expect(outline(first)).toEqual([
    "swapoff /dev/dm-2",
    "umount --recursive /mnt/deep/er",
    "umount --recursive /mnt",
    "dmsetup remove --retry vg0-root",
    "dmsetup remove --retry vg0-swap",
    "dmsetup remove --retry secret",
    "wipefs /dev/md127p1",
    "mdadm --action=idle /dev/md127",
    "mdadm --action=frozen /dev/md127",
    "wipefs /dev/md127",
    "udevadm settle",
    "mdadm --stop /dev/md127",
    "wipefs /dev/sda1",
    "wipefs /dev/sdb1",
  ]);
  expect(wipes.map(({ name }) => name)).toEqual(["wipe-1", "wipe-2"]);
});

test("an array that takes no writes is stopped as it is", () => {
  const inactive = { state: "inactive", level: "" };
  const stack = [...disks, device("/dev/md0", "array", ["/dev/sda"], { array: inactive, sizeBytes: 0 })];
  expect(outline(wipeSteps([a], stack, takeApart)[0])).toEqual([
    "mdadm --stop /dev/md0",
    "wipefs /dev/disk/by-id/ata-SAMPLE_A",
  ]);
});

test("bcache lets go of the device, then of the set, each once", () => {
  const stack = [
    device("/dev/sda", "disk", [], { bcacheStop: "/sys/block/sda/bcache/stop" }),
    device("/dev/sdb", "disk", [], { bcacheStop: "/sys/fs/bcache/7a/stop" }),
    device("/dev/bcache0", "bcache", ["/dev/sda", "/dev/sdb"], { bcacheStop: "/sys/block/sda/bcache/stop" }),
  ];
  expect(outline(wipeSteps([a, b], stack, takeApart)[0])).toEqual([
    "echo 1 > /sys/block/sda/bcache/stop",
    "echo 1 > /sys/fs/bcache/7a/stop",
  ]);
});

test("of what also lies on another disk, only the part on ours goes", () => {
  const mirror = device("/dev/md1", "array", ["/dev/sda", "/dev/sdc"]);
  expect(outline(wipeSteps([a], [...disks, mirror], takeApart)[0])).toEqual([
    "mdadm --action=idle /dev/md1",
    "mdadm --action=frozen /dev/md1",
    "mdadm --stop /dev/md1",
    "wipefs /dev/disk/by-id/ata-SAMPLE_A",
  ]);
});

const group: Whole = { kind: "volume group", name: "vg0", uuid: "7c" };

test.each([
  ["disk-held", tower, refuse, /md127 \(array\) is active/],
  [
    "storage-spans-other-disks",
    [...disks, device("/dev/md1", "array", ["/dev/sda", "/dev/sdc"])],
    refuse,
    /\/dev\/md1 also lies on \/dev\/sdc/,
  ],
  [
    "storage-spans-other-disks",
    ["/dev/sda", "/dev/sdb", "/dev/sdc"].map((name) =>
      device(name, "disk", [], {
        partOf: [group],
        links: ["wwn-0x5", "ata-OTHER_C"].map((id) => `/dev/disk/by-id/${id}`),
      }),
    ),
    refuse,
    /refusing to wipe ata-SAMPLE_A, ata-SAMPLE_B: volume group vg0 also lies on ata-OTHER_C/,
  ],
  [
    "disk-holds-running-system",
    [...disks, device("/dev/sda1", "partition", ["/dev/sda"], { mountPoints: ["/"] })],
    takeApart,
    /sda1/,
  ],
  ["disk-changed", [], refuse, /gone/],
  ["wipe-depth-unsupported", disks, { ...refuse, depth: "secure" as const }, /a sample/],
  ["wipe-depth-unsupported", disks, { ...refuse, depth: "discard" as const }, /takes no discards/],
])("%s", (code, stack, wipe, message) => {
  const expected = expect.objectContaining({ code, message: expect.stringMatching(message), hint: expect.any(String) });
  expect(() => wipeSteps([a, b], stack, wipe)).toThrow(expected);
});

test.each([
  ["zero", undefined, ["blkdiscard --zeroout"]],
  ["discard", undefined, ["blkdiscard"]],
  ["secure", "nvme-format", ["nvme format DISK --ses=1 --force"]],
  ["secure", "secure-discard", ["blkdiscard --secure"]],
  [
    "secure",
    "ata-enhanced-erase",
    [
      "hdparm --user-master u --security-set-pass metalcast",
      "hdparm --user-master u --security-erase-enhanced metalcast",
    ],
  ],
  [
    "secure",
    "ata-erase",
    ["hdparm --user-master u --security-set-pass metalcast", "hdparm --user-master u --security-erase metalcast"],
  ],
] as const)("depth %s, way %s", (depth, way, commands) => {
  const erasure: StackedDevice["erasure"] = { discards: true, secure: way ? { way } : { obstacle: "none" } };
  const stack = [device("/dev/sda", "disk", [], { erasure })];
  const lines = printed(wipeSteps([a], stack, { depth, held: "refuse" }))[0] ?? [];
  expect(lines.slice(-commands.length)).toEqual(
    commands.map((command) => (command.includes("DISK") ? command.replace("DISK", a.path) : `${command} ${a.path}`)),
  );
});

/** Any stack over three disks: each device lies on some of those before it. */
const stacks = fc
  .array(
    fc.record({
      kind: fc.constantFrom("partition", "array", "mapping", "bcache" as const),
      on: fc.array(fc.nat(), { minLength: 1, maxLength: 3 }),
      isMounted: fc.boolean(),
      isSwap: fc.boolean(),
    }),
    { maxLength: 12 },
  )
  .map((layers) => {
    const stack: StackedDevice[] = [...disks];
    for (const [index, { kind, on, isMounted, isSwap }] of layers.entries()) {
      const below = [...new Set(on.map((choice) => stack[choice % stack.length]?.name ?? ""))];
      const name = `/dev/${kind}-${index}`;
      stack.push(
        device(name, kind, kind === "partition" ? below.slice(0, 1) : below, {
          mountPoints: isMounted ? [`/mnt/${index}`] : [],
          swaps: isSwap ? [name] : [],
        }),
      );
    }
    return stack;
  });

/** What a command writes to or takes down, by kernel name. */
function touched(line: string, stack: readonly StackedDevice[]): string[] {
  const words = line.split(" ");
  return stack
    .filter(({ name, mappingName, mountPoints }) =>
      [name, mappingName, ...mountPoints].some((word) => word !== undefined && words.includes(word)),
    )
    .map(({ name }) => name);
}

test("no command names what lies on foreign disks alone, and none writes to what lies on any", () => {
  fc.assert(
    fc.property(stacks, (stack) => {
      const lines = wipeSteps([a, b], stack, takeApart).flatMap((step) => actionsOf(step).map(formatAction));
      for (const line of lines) {
        expect(line).not.toContain(c.path);
        for (const name of touched(line, stack)) {
          const below = disksBelow(stack, name);
          expect(below.some((disk) => disk !== "/dev/sdc")).toBe(true);
          if (/^(blkdiscard|wipefs)/.test(line)) expect(below).not.toContain("/dev/sdc");
        }
      }
    }),
  );
});

test("every layer goes before what it lies on", () => {
  fc.assert(
    fc.property(stacks, (stack) => {
      const [first] = wipeSteps([a, b], stack, takeApart);
      const gone = actionsOf(first ?? { kind: "commands", name: "", title: "", commands: [] })
        .map(formatAction)
        .filter((line) => /^(dmsetup remove|mdadm --stop)/.test(line))
        .flatMap((line) => touched(line, stack));
      for (const [index, name] of gone.entries()) {
        const below = stack.find((candidate) => candidate.name === name)?.on ?? [];
        for (const lower of below) expect(gone.slice(0, index)).not.toContain(lower);
      }
    }),
  );
});
