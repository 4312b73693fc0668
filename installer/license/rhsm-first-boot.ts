import { Secret } from "../../common/secret.ts";
import type { TargetFile } from "../step.ts";

const unit = "metalcast-license.service";
const directory = "/usr/local/lib/metalcast-license";

/** multi-user.target does not wait for it. Where user data is applied already, nothing of it is in the way. */
const unitFile = `[Unit]
Description=Register this system with its license, once
Wants=network-online.target
After=network-online.target cloud-config.service
ConditionPathExists=${directory}/register

[Service]
Type=simple
ExecStart=/bin/sh ${directory}/register
StandardOutput=journal+console
StandardError=journal+console

[Install]
WantedBy=multi-user.target
`;

/**
 * cloud-init's module is given its configuration by a file of its own: what lies in /etc/cloud/cloud.cfg.d, in vendor data or
 * in user data is kept for good in /var/lib/cloud (cloudinit/sources/__init__.py, `sys_cfg` of what obj.pkl holds), `single` writes
 * nothing there. Its option `--file` is the program's own up to cloud-init 23.4, and that
 * of the command in 24.4.
 */
const script = `#!/bin/sh
# Registers this system by cloud-init's module rh_subscription, then removes itself and what it was given, however that ended.
# Written by Metalcast's installer.
set -u
umask 077
directory=\${0%/*}
unit=${unit}
LC_ALL=C
export LC_ALL

registered() {
  [ -e /etc/pki/consumer/cert.pem ]
}

register() {
  set -- --name rh_subscription --frequency always
  if [ -n "$of_command" ]; then
    cloud-init single --file "$directory/cloud.cfg" "$@"
  else
    cloud-init --file "$directory/cloud.cfg" single "$@"
  fi
}

remove_itself() {
  rm -f "/etc/systemd/system/multi-user.target.wants/$unit" "/etc/systemd/system/$unit"
  rm -rf "$directory"
  systemctl daemon-reload
}

main() {
  of_command=$(cloud-init single --help | grep -e --file)
  for pause in 0 15 60 240; do
    registered && break
    sleep "$pause"
    register
  done
  remove_itself
  if registered; then
    echo "metalcast: the system is registered"
    exit 0
  fi
  echo "metalcast: the system is not registered: /var/log/cloud-init.log and /var/log/rhsm/rhsm.log say why"
  exit 1
}

main
`;

/** @param settings of cloud-init's `rh_subscription`, by the names that all its versions take */
export function rhsmFirstBootFiles(settings: Readonly<Record<string, string>>): TargetFile[] {
  const content = new Secret(`#cloud-config\n${JSON.stringify({ rh_subscription: settings })}\n`);
  return [
    { path: `${directory}/register`, mode: 0o700, content: script },
    { path: `${directory}/cloud.cfg`, mode: 0o600, content },
    { path: `/etc/systemd/system/${unit}`, mode: 0o644, content: unitFile },
    { path: `/etc/systemd/system/multi-user.target.wants/${unit}`, symlink: `/etc/systemd/system/${unit}` },
  ];
}
