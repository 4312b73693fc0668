import type { Secret } from "../common/secret.ts";
import type { BootOrder } from "./boot/boot-order.ts";
import type { ShellVariables } from "./boot/shell-variables.ts";
import type { ConfigDriveFormat } from "./config-drive/format.ts";
import type { DiskIdentity } from "./disk-identity.ts";
import type { IniSettings } from "./license/ini.ts";
import type { LicenseName, Registration } from "./license/license.ts";
import type { WipeAction } from "./wipe/action.ts";
import type { Wipe } from "./wipe/settings.ts";

/** A program and its arguments, without a shell. */
export type Command = readonly [program: string, ...args: string[]];

/** A file of the target. Paths are absolute as the installed system sees them. */
export type TargetFile = { path: string; mode: number; content: string | Secret } | { path: string; symlink: string };

interface Named {
  /** Stable, for events and journals: `wipe-1`. */
  name: string;
  /** For people: "wipe ata-SAMPLE_A (8.0 GiB)". */
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
      | { kind: "check-disks"; disks: readonly DiskIdentity[]; held: "refuse" | "take-apart" }
      /** What lies on the disks is released. Its actions are what was planned; when they are done, all is looked at anew. */
      | { kind: "take-apart"; disks: readonly string[]; actions: readonly WipeAction[] }
      | { kind: "wipe"; disk: string; wipe: Wipe; actions: readonly WipeAction[] }
      | { kind: "commands"; commands: readonly Command[] }
      /** A LUKS2 volume is made and opened. */
      | { kind: "encrypt"; device: string; mapping: string; uuid: string; secret: Secret }
      /** The members of these arrays become equal. */
      | { kind: "sync-arrays"; arrays: readonly string[] }
      | {
          kind: "config-drive";
          partitions: readonly string[];
          sizeBytes: number;
          format: ConfigDriveFormat;
          files: readonly { path: string; content: string | Secret }[];
        }
      | { kind: "lay-image"; image: ImageSource; target: string }
      /** An opened image of the user's own. */
      | { kind: "lay-tree"; tree: string; unpackedBytes: number; target: string; isDivided: boolean }
      /** The first ESP gets what the image has for it, and is mounted. */
      | { kind: "fill-esp"; device: string; mountPoint: string; target: string }
      /** The other ESPs get what is on the mounted one. */
      | { kind: "copy-esp"; mountPoint: string; devices: readonly string[]; target: string }
      | { kind: "write-files"; target: string; files: readonly TargetFile[] }
      | {
          kind: "run-in-target";
          target: string;
          devices: readonly string[];
          commands: readonly Command[];
          input?: string;
        }
      /** A script of the user's, in the rescue system or in the target. */
      | {
          kind: "hook";
          where: "rescue" | "target";
          script: { name: string; sizeBytes: number; sha256: string; content: Secret };
          timeoutMs: number;
          network: boolean;
          environment: Readonly<Record<string, string>>;
          /** Not to be seen in what it says. */
          secrets: readonly Secret[];
          target: string;
          devices: readonly string[];
        }
      /** A configuration file of the target gets settings; what else it says stays. */
      | { kind: "edit-ini"; target: string; path: string; mode: number; settings: IniSettings }
      /** The target is registered with the vendor of its license. */
      | ({
          kind: "register";
          license: LicenseName;
          target: string;
          onFailure: "fail" | "continue";
          /** Not to be seen in what it says. */
          secrets: readonly Secret[];
        } & Registration)
      /** /etc/default/grub is edited. */
      | { kind: "grub-defaults"; target: string; settings: ShellVariables; added: readonly string[] }
      /** /etc/sysconfig/bootloader is edited. */
      | { kind: "loader-type"; target: string; settings: ShellVariables }
      /** The boot entries of the target's kernels get this server's root file system and arguments. */
      | {
          kind: "bls-entries";
          target: string;
          kernels: readonly string[];
          root: readonly string[];
          added: readonly string[];
          bootPath: string;
        }
      /** Files of the target get the labels of its SELinux policy, if it has one. */
      | { kind: "label-files"; target: string; devices: readonly string[]; paths: readonly string[] }
      /** The target's kernel is loaded, as its boot loader would start it; then it is started, once all is released. */
      | { kind: "load-kernel"; target: string; kernel: string }
      | { kind: "start-kernel" }
      | { kind: "firmware-entries"; entries: readonly FirmwareEntry[]; bootOrder: BootOrder }
    )
>;

/** One UEFI boot entry: which loader on which partition. */
export interface FirmwareEntry {
  label: string;
  disk: string;
  partition: number;
  /** The unique GUID of that partition, by which the firmware finds it. */
  partitionUuid: string;
  /** Path on the ESP, with back slashes: `\EFI\debian\shimx64.efi`. */
  loader: string;
}
