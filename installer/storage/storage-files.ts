import type { TargetFile } from "../step.ts";
import { formatCrypttab, keyFiles } from "./encryption.ts";
import { describeMount } from "./filesystem.ts";
import type { Layout } from "./layout.ts";
import { describeSwap } from "./swap.ts";
import { syncSpeedFile } from "./sync-speed.ts";

/** What every distribution reads alike: fstab(5), crypttab(5) and the keys that it names, rules of udev's. */
export function storageFiles({ filesystems, swaps, encrypted, rootChain, syncSpeed }: Layout): TargetFile[] {
  const lines = [...filesystems.map(describeMount), ...swaps.map(describeSwap)];
  const fstab = `# <file system> <mount point> <type> <options> <dump> <pass>\n${lines.join("\n")}\n`;
  const neededByRoot = new Set(rootChain.flatMap((device) => (device.kind === "encrypted" ? device.volume.name : [])));
  return [
    { path: "/etc/fstab", mode: 0o644, content: fstab },
    ...(encrypted.length > 0
      ? [
          { path: "/etc/crypttab", mode: 0o644, content: formatCrypttab(encrypted, neededByRoot) },
          ...keyFiles(encrypted),
        ]
      : []),
    ...(syncSpeed === undefined ? [] : [syncSpeedFile(syncSpeed)]),
  ];
}
