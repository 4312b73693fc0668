/** What a partition is for. */
export type PartitionUse = "root" | "usr" | "home" | "srv" | "efi" | "boot" | "bios-boot" | "swap" | "lvm";

/**
 * What the type of a partition says, for what matters here: the Discoverable Partitions Specification for x86-64 and
 * arm64, UEFI specification 2.10, 5.3.3, and the GRUB manual, "BIOS installation".
 */
export const partitionTypes: Readonly<Record<string, PartitionUse | undefined>> = {
  "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709": "root",
  "B921B045-1DF0-41C3-AF44-4C6F280D3FAE": "root",
  "8484680C-9521-48C6-9C11-B0720656F69E": "usr",
  "B0E01050-EE5F-4390-949A-9101B17104E9": "usr",
  "933AC7E1-2EB4-4F13-B844-0E14E2AEF915": "home",
  "3B8F8425-20E0-4F3B-907F-1A25A76F98E8": "srv",
  "C12A7328-F81F-11D2-BA4B-00A0C93EC93B": "efi",
  "BC13C2FF-59E6-4262-A352-B275FD6F7172": "boot",
  "21686148-6449-6E6F-744E-656564454649": "bios-boot",
  "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F": "swap",
  "E6D6D379-F507-44C2-A23C-238F2A3DF928": "lvm",
  "0x82": "swap",
  "0x8e": "lvm",
  "0xef": "efi",
};
