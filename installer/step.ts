import type { Secret } from "../common/secret.ts";
import type { Disk } from "./hardware.ts";

/** A program and its arguments, without a shell. */
export type Command = readonly [program: string, ...args: string[]];

/** A file of the target. Paths are absolute as the installed system sees them. */
export type TargetFile = { path: string; mode: number; content: string | Secret } | { path: string; symlink: string };

interface Named {
  /** Stable, for events and journals: `wipe-1`. */
  name: string;
  /** For people: "wipe /dev/sda (LAB0)". */
  title: string;
}

/** Which published image to lay, and which bytes of it to believe. */
interface ImageSource {
  mirror: string;
  /** Key prefix of the image's files in the mirror. */
  prefix: string;
  name: string;
  version: string;
  manifestSha256: string;
  unpackedBytes: number;
}

/**
 * One thing done to the server. Most are commands, in order; the others name what they need, and execute.ts knows how.
 */
export type Step = Readonly<
  Named &
    (
      | { kind: "check-disks"; disks: readonly Pick<Disk, "path" | "serial" | "sizeBytes">[] }
      | { kind: "commands"; commands: readonly Command[] }
      | {
          kind: "config-drive";
          partitions: readonly string[];
          sizeBytes: number;
          files: readonly { path: string; content: string | Secret }[];
        }
      | { kind: "lay-image"; image: ImageSource; target: string }
      /** An opened image of the user's own. */
      | { kind: "lay-tree"; tree: string; unpackedBytes: number; target: string }
      | { kind: "write-files"; target: string; files: readonly TargetFile[] }
      | {
          kind: "run-in-target";
          target: string;
          devices: readonly string[];
          commands: readonly Command[];
          input?: string;
        }
      | { kind: "firmware-entries"; entries: readonly FirmwareEntry[] }
    )
>;

/** One UEFI boot entry: which loader on which partition. */
export interface FirmwareEntry {
  label: string;
  disk: string;
  partition: number;
  /** Path on the ESP, with back slashes: `\EFI\debian\shimx64.efi`. */
  loader: string;
}
