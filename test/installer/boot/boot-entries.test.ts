import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type BootEntry,
  isNetworkEntry,
  parseBootEntries,
  partitionOfEntry,
} from "../../../installer/boot/boot-entries.ts";

const first = "88b98094-c959-7c46-8c3f-acc951d55266";

/** As versions print it: rhboot/efibootmgr issues #123 (17, --verbose), #168 (17 and 18), #221, rhboot/efivar #269. */
const listings = {
  "17": `BootCurrent: 0004
Timeout: 0 seconds
BootOrder: 0001,0000,0004
Boot0000* Windows Boot Manager
Boot0001* Debian GNU/Linux (disk 1)
Boot0004* UEFI: IP4 Realtek PCIe GBE Family Controller
MirroredPercentageAbove4G: 0.00
MirrorMemoryBelow4GB: false
`,
  "17 --verbose": `BootCurrent: 0004
Timeout: 0 seconds
BootOrder: 0001,0000,0004
Boot0000* Windows Boot Manager\tHD(1,GPT,5b331d7f-9488-4df5-9eed-c7250696b833,0x800,0x4b000)/File(\\EFI\\MICROSOFT\\BOOT\\BOOTMGFW.EFI)WINDOWS.........x...B.C.D.O.B.J.E.C.T.=.{.9.d.e.a.8.6.2.c.-.5.c.d.d.-.4.e.7.0.}....................
Boot0001* Debian GNU/Linux (disk 1)\tHD(2,GPT,${first},0x1000,0x100000)/File(\\EFI\\debian\\shimx64.efi)
Boot0004* UEFI: IP4 Realtek PCIe GBE Family Controller\tPciRoot(0x0)/Pci(0x1c,0x0)/Pci(0x0,0x0)/MAC(3417eb7eda76,0)/IPv4(0.0.0.00.0.0.0,0,0)..BO
`,
  "18": `BootCurrent: 0004
Timeout: 0 seconds
BootOrder: 0001,0000,0004
Boot0000* Windows Boot Manager\tHD(1,GPT,5b331d7f-9488-4df5-9eed-c7250696b833,0x800,0x4b000)/\\EFI\\MICROSOFT\\BOOT\\BOOTMGFW.EFI57494e444f575300010000008800000078000000
Boot0001* Debian GNU/Linux (disk 1)\tHD(2,GPT,${first},0x1000,0x100000)/\\EFI\\debian\\shimx64.efi
Boot0004* UEFI: IP4 Realtek PCIe GBE Family Controller\tPciRoot(0x0)/Pci(0x1c,0x0)/Pci(0x0,0x0)/MAC(3417eb7eda76,0)/IPv4(0.0.0.0,0,DHCP,0.0.0.0,0.0.0.0,0.0.0.0)0000424f
`,
  "18 --verbose": `BootNext: 0001
BootCurrent: 0004
Timeout: 0 seconds
BootOrder: 0001,0000,0004
Boot0000* Windows Boot Manager\tHD(1,GPT,5b331d7f-9488-4df5-9eed-c7250696b833,0x800,0x4b000)/File(\\EFI\\MICROSOFT\\BOOT\\BOOTMGFW.EFI)57494e444f5753000100
      dp: 04 01 2a 00 01 00 00 00 00 08 00 00 00 00 00 00 / 7f ff 04 00
    data: 57 49 4e 44 4f 57 53 00 01 00
Boot0001* Debian GNU/Linux (disk 1)\tHD(2,GPT,${first.toUpperCase()},0x1000,0x100000)/File(\\EFI\\debian\\shimx64.efi)
      dp: 04 01 2a 00 02 00 00 00 00 10 00 00 00 00 00 00 / 7f ff 04 00
Boot0004* UEFI: IP4 Realtek PCIe GBE Family Controller\tPciRoot(0x0)/Pci(0x1c,0x0)/Pci(0x0,0x0)/MAC(3417eb7eda76,0)/IPv4(0.0.0.0,0,DHCP,0.0.0.0,0.0.0.0,0.0.0.0)0000424f
      dp: 02 01 0c 00 d0 41 03 0a 00 00 00 00 / 7f ff 04 00
`,
};

describe.each(Object.entries(listings))("efibootmgr %s", (version, listing) => {
  const { order, entries } = parseBootEntries(listing);

  test("order and labels", () => {
    expect(order).toEqual(["0001", "0000", "0004"]);
    expect(entries.map(({ number, label, active }) => [number, label, active])).toEqual([
      ["0000", "Windows Boot Manager", true],
      ["0001", "Debian GNU/Linux (disk 1)", true],
      ["0004", "UEFI: IP4 Realtek PCIe GBE Family Controller", true],
    ]);
  });

  test("what an entry boots from", () => {
    const partitions = entries.map(partitionOfEntry);
    if (version === "17") expect(partitions).toEqual([undefined, undefined, undefined]);
    else expect(partitions).toEqual(["5b331d7f-9488-4df5-9eed-c7250696b833", first, undefined]);
    expect(entries.map(isNetworkEntry)).toEqual([false, false, true]);
  });
});

test("inactive entries, letters in numbers, entries without a path", () => {
  const { order, entries } = parseBootEntries(
    "BootOrder: 000A,2001\nBoot000A  UEFI BootManagerMenuApp\tFvVol(7cb8bdc9-f8eb-4f34-aaea-3ee4af6516a1)/FvFile(eec25bdc-67f2-4d95-b1d5-f81b2039d11d)\nBoot2001* EFI Network\tRC\n",
  );
  expect(order).toEqual(["000A", "2001"]);
  expect(entries.map(({ active }) => active)).toEqual([false, true]);
  expect(entries.map(isNetworkEntry)).toEqual([false, true]);
});

test("an empty firmware has neither", () => {
  const listing = "BootCurrent: 0000\nTimeout: 0 seconds\nNo BootOrder is set; firmware will attempt recovery\n";
  expect(parseBootEntries(listing)).toEqual({ order: [], entries: [] });
});

test.each<[string, string, boolean]>([
  ["UEFI PXEv4 (MAC:525400123456)", "PciRoot(0x0)/Pci(0x2,0x0)/MAC(525400123456,1)/IPv4(0.0.0.0)", true],
  ["UEFI HTTPv6", "PciRoot(0x0)/Pci(0x2,0x0)/MAC(525400123456,1)/IPv6([::])/Uri()", true],
  ["Onboard NIC", "BBS(Network,IBA GE Slot 0100,0x0)", true],
  ["PXE Network", "VenMsg(bc7838d2-0f82-4d60-8316-c068ee79d25b,78a84aaf)", true],
  ["SAN", "PciRoot(0x0)/Pci(0x2,0x0)/MAC(525400123456,1)/IPv4(192.0.2.1)/iSCSI(iqn.2003-01.org,0,0x0)", false],
  ["Network Appliance OS", `HD(1,GPT,${first},0x800,0x1000)/File(\\EFI\\a.efi)`, false],
  ["UEFI QEMU HARDDISK LAB0", "PciRoot(0x0)/Pci(0x3,0x0)/Scsi(0,0)", false],
  ["Planet", "", false],
])("%s is of the network or not", (label, path, expected) => {
  expect(isNetworkEntry({ number: "0000", label, active: true, path })).toBe(expected);
});

test("whatever is printed, only well-formed entries come out", () => {
  const words = fc.constantFrom(
    "Boot",
    "0001",
    "* ",
    "\t",
    "\n",
    "BootOrder: ",
    ",",
    "HD(1,GPT,",
    first,
    ")",
    "Boot0000*",
    "(",
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(words, fc.string()), { maxLength: 40 }), (parts) => {
      const { order, entries } = parseBootEntries(parts.join(""));
      for (const number of [...order, ...entries.map((entry: BootEntry) => entry.number)]) {
        expect(number).toMatch(/^[0-9A-F]{4}$/);
      }
    }),
  );
});
