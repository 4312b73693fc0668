import { expect, test } from "vitest";
import { orderEntries, parseBootEntries } from "../../../installer/boot/firmware-entries.ts";

const listing = `BootCurrent: 0003
Timeout: 0 seconds
BootOrder: 0003,0000,0001,0002
Boot0000* UiApp\tFvVol(7cb8bdc9-f8eb-4f34-aaea-3ee4af6516a1)/FvFile(462caa21-7614-4503-836e-8ab6f4662331)
Boot0001* Debian GNU/Linux (disk 1)\tHD(2,GPT,5d1e7a4c-0000-0000-0000-000000000000,0x1000,0x100000)/File(\\EFI\\debian\\shimx64.efi)
Boot0002  UEFI QEMU HARDDISK LAB0\tPciRoot(0x0)/Pci(0x3,0x0)/Scsi(0,0)
Boot0003* UEFI PXEv4 (MAC:525400123456)\tPciRoot(0x0)/Pci(0x2,0x0)/MAC(525400123456,1)/IPv4(0.0.0.0)
`;

test("reads efibootmgr's listing", () => {
  const { order, entries } = parseBootEntries(listing);
  expect(order).toEqual(["0003", "0000", "0001", "0002"]);
  expect(entries).toHaveLength(4);
  expect(entries[1]).toEqual({ number: "0001", label: "Debian GNU/Linux (disk 1)" });
});

test("an empty firmware has neither", () => {
  expect(parseBootEntries("BootCurrent: 0000\nTimeout: 0 seconds\n")).toEqual({ order: [], entries: [] });
});

test("the network stays in front, then come ours, then the rest", () => {
  expect(orderEntries(parseBootEntries(listing), ["0001", "0004"])).toEqual(["0003", "0001", "0004", "0000", "0002"]);
});
