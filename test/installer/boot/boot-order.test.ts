import { describe, expect, test } from "vitest";
import type { BootEntries } from "../../../installer/boot/boot-entries.ts";
import { findStaleEntries, orderEntries } from "../../../installer/boot/boot-order.ts";

const disk = (uuid: string) => `HD(2,GPT,${uuid},0x1000,0x100000)/File(\\EFI\\debian\\shimx64.efi)`;
const uuid = (digit: string) => `${digit.repeat(8)}-0000-4000-8000-000000000000`;
const network = "PciRoot(0x0)/Pci(0x2,0x0)/MAC(525400123456,1)/IPv4(0.0.0.0)";

function firmware(order: string, entries: Record<string, [label: string, path: string]>): BootEntries {
  return {
    order: order === "" ? [] : order.split(","),
    entries: Object.entries(entries).map(([number, [label, path]]) => ({ number, label, active: true, path })),
  };
}

const entries: Record<string, [string, string]> = {
  "0000": ["UiApp", "FvVol(7cb8bdc9-f8eb-4f34-aaea-3ee4af6516a1)/FvFile(462caa21-7614-4503-836e-8ab6f4662331)"],
  "0001": ["UEFI PXEv4", network],
  "0002": ["UEFI PXEv6", network.replace("IPv4", "IPv6")],
  "0003": ["ubuntu", disk(uuid("3"))],
};

describe("the boot order", () => {
  test.each([
    ["keep-network-first", "0001,0002,0003", "0001,0002,0008,0009,0003"],
    ["keep-network-first", "0003,0001,0002", "0008,0009,0003,0001,0002"],
    ["keep-network-first", "0001,0003,0002", "0001,0008,0009,0003,0002"],
    ["keep-network-first", "0001", "0001,0008,0009"],
    ["keep-network-first", "", "0008,0009"],
    ["disk-first", "0001,0002,0003", "0008,0009,0001,0002,0003"],
    ["leave", "0003,0001,0002", "0003,0001,0002,0008,0009"],
  ] as const)("%s: %s becomes %s", (bootOrder, before, after) => {
    expect(orderEntries(firmware(before, entries), ["0008", "0009"], bootOrder).join(",")).toBe(after);
  });

  test("what the firmware skips, or no longer has, is not what was first", () => {
    const { order, entries: held } = firmware("0007,0003,0001", entries);
    const skipped = held.map((entry) => (entry.number === "0003" ? { ...entry, active: false } : entry));
    const ordered = orderEntries({ order, entries: skipped }, ["0008"], "keep-network-first");
    expect(ordered).toEqual(["0007", "0003", "0001", "0008"]);
    const behind = orderEntries({ order: ["0003"], entries: skipped }, ["0008"], "keep-network-first");
    expect(behind).toEqual(["0008", "0003"]);
  });
});

describe("stale entries", () => {
  const own = [1, 2].map((number) => ({
    label: `Debian GNU/Linux (disk ${number})`,
    partitionUuid: uuid(String(number)),
  }));
  const held = firmware("", {
    ...entries,
    "0004": ["Debian GNU/Linux (disk 1)", disk(uuid("1"))],
    "0005": ["debian", disk(uuid("2")).toUpperCase()],
    "0006": ["Debian GNU/Linux (disk 4)", disk(uuid("6"))],
    "0007": ["Debian GNU/Linux (disk 1)", disk(uuid("7"))],
    "0008": ["Debian GNU/Linux (disk 2)", ""],
    "0009": ["UEFI QEMU HARDDISK", "PciRoot(0x0)/Pci(0x3,0x0)/Scsi(0,0)"],
  });

  test("ours of before, and those of partitions that no disk has", () => {
    const present = new Set([uuid("1"), uuid("2"), uuid("7")]);
    expect(findStaleEntries(held, own, present, "disk-first")).toEqual(["0003", "0004", "0005", "0006", "0008"]);
  });

  test("an installation on other disks keeps its entries, though they have our labels", () => {
    const present = new Set([uuid("1"), uuid("2"), uuid("3"), uuid("6"), uuid("7")]);
    expect(findStaleEntries(held, own, present, "disk-first")).toEqual(["0004", "0005", "0008"]);
  });

  test("leave: others' entries stay, whatever they boot", () => {
    const present = new Set([uuid("1"), uuid("2")]);
    expect(findStaleEntries(held, own, present, "leave")).toEqual(["0004", "0005", "0006", "0007", "0008"]);
  });

  test("where not even our own partitions are known, none counts as gone", () => {
    expect(findStaleEntries(held, own, new Set(), "disk-first")).toEqual(["0004", "0005", "0008"]);
  });
});
