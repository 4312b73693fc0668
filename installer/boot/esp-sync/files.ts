import type { TargetFile } from "../../step.ts";
import { afterPackagesFile, confinement } from "../renew-loader.ts";
import { espSyncScript } from "./script.ts";

const directory = "/usr/local/lib/metalcast-esp-sync";
const units = "/etc/systemd/system";
const service = "metalcast-esp-sync.service";
const watch = "metalcast-esp-sync.path";

/** The program that makes all ESPs equal to the one on /boot/efi. */
const espSyncProgram = `${directory}/esp-sync`;

/**
 * At every boot, too: a disk may have come back, or /boot/efi's own may be gone. It mounts /boot/efi for everybody, so it
 * has no mount namespace of its own, which most of systemd's sandboxing (systemd.exec(5)) would give it. The watch
 * requires /boot/efi, and could not start where that was late or its disk is gone: it can once this has mounted one.
 */
const serviceUnit = `[Unit]
Description=Keep the EFI system partitions equal
After=boot-efi.mount

[Service]
Type=oneshot
ExecStart=/bin/sh ${espSyncProgram}
ExecStartPost=-/bin/systemctl start --no-block ${watch}
${confinement}

[Install]
WantedBy=multi-user.target
`;

/** A watched folder tells of its own files only (systemd.path(5)): these are where a loader's files lie. */
function watchUnit(folders: readonly string[]): string {
  const paths = ["", ...folders].map((folder) => `PathChanged=/boot/efi/EFI${folder && `/${folder}`}\n`).join("");
  return `[Unit]
Description=Watch the EFI system partition for changes

[Path]
${paths}
[Install]
WantedBy=multi-user.target
`;
}

/**
 * What keeps the ESPs of the target equal: a program, and units that run it at every boot, whenever /boot/efi changes,
 * and when a family's package manager says so.
 *
 * @param partitionUuids of all ESPs, by which they are found whatever the disks are called
 * @param folders below EFI/ that hold loaders, such as `debian`
 */
export function espSyncFiles(partitionUuids: readonly string[], folders: readonly string[]): TargetFile[] {
  const list = [
    "# The EFI system partitions that are kept equal, by the UUIDs of their partitions. After a disk was replaced: make",
    "# its partitions and a FAT file system, write the new UUID here, and run systemctl start metalcast-esp-sync.",
    ...partitionUuids,
  ];
  return [
    { path: "/etc/metalcast/esp-partitions", mode: 0o644, content: `${list.join("\n")}\n` },
    { path: espSyncProgram, mode: 0o755, content: espSyncScript },
    afterPackagesFile(service),
    { path: `${units}/${service}`, mode: 0o644, content: serviceUnit },
    { path: `${units}/${watch}`, mode: 0o644, content: watchUnit(folders) },
    ...[service, watch].map((unit) => ({
      path: `${units}/multi-user.target.wants/${unit}`,
      symlink: `${units}/${unit}`,
    })),
  ];
}
