import type { ImageFacts } from "../../mirror/index.ts";

type OsRelease = ImageFacts["osRelease"];

/** Folders of EFI/ on the ESP that are not called as the distribution's ID is. */
const vendors: Readonly<Record<string, string>> = { rhel: "redhat", ol: "redhat" };

/** The folder of EFI/ that the distribution's signed boot loaders lie in: `%{efi_vendor}` of its packages. */
export function efiVendor({ ID = "redhat" }: OsRelease): string {
  return vendors[ID] ?? ID;
}

/** Fedora since 30, Red Hat since 8: each kernel has an entry of its own, and the menu is made of these. */
export function hasBootEntries({ ID, VERSION_ID = "" }: OsRelease): boolean {
  return ID === "fedora" || Number.parseInt(VERSION_ID, 10) !== 7;
}
