import type { TargetFile } from "../step.ts";

const directory = "/usr/local/lib/metalcast-loader";
const units = "/etc/systemd/system";

/** What a family puts here renews the loader on /boot/efi from the installed packages. */
export const renewLoaderPath = `${directory}/renew-loader`;

/** What a family's package manager runs after kernels and boot loaders have changed. It never fails. */
export const afterPackagesPath = `${directory}/after-packages`;

/**
 * The hook behind `afterPackagesPath`. In a chroot there is no systemd, and the boot that follows does it.
 * @param service of systemd, which brings the ESPs up to date and does so at every boot, too
 */
export function afterPackagesFile(service: string): TargetFile {
  const content = `#!/bin/sh
# After changes of kernels and boot loaders: brings the EFI system partition up to date. Written by Metalcast's installer.
if [ -d /run/systemd/system ]; then
  systemctl start ${service} || echo "metalcast: the EFI system partition is not up to date, see: journalctl -u ${service}" >&2
fi
exit 0
`;
  return { path: afterPackagesPath, mode: 0o755, content };
}

/** What a unit of ours may do without: systemd.exec(5). */
export const confinement = `NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native`;

const service = "metalcast-renew-loader.service";

const serviceUnit = `[Unit]
Description=Renew the boot loader on the EFI system partition
RequiresMountsFor=/boot/efi

[Service]
Type=oneshot
ExecStart=/bin/sh ${renewLoaderPath}
${confinement}

[Install]
WantedBy=multi-user.target
`;

/** Where there is one ESP for all disks, its loader is renewed and nothing else needs to be done. */
export const renewLoaderFiles: readonly TargetFile[] = [
  afterPackagesFile(service),
  { path: `${units}/${service}`, mode: 0o644, content: serviceUnit },
  { path: `${units}/multi-user.target.wants/${service}`, symlink: `${units}/${service}` },
];
