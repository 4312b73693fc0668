import { Failure } from "../../common/failure.ts";
import { reveal, Secret } from "../../common/secret.ts";
import type { TargetFile } from "../step.ts";
import { phoneHomeScript } from "./script.ts";

const unit = "metalcast-phone-home.service";
const directory = "/usr/local/lib/metalcast-phone-home";

/**
 * Not ordered after cloud-init, which may disappear before it is done: the script waits by itself. Type=exec, for
 * multi-user.target must not wait for it in turn. It may write only where it has something to remove.
 */
const unitFile = `[Unit]
Description=Tell the operator that this server is ready (phone home)
Wants=network-online.target

[Service]
Type=exec
ExecStart=/bin/sh ${directory}/phone-home
Restart=on-abnormal
RestartSec=10
StandardOutput=journal+console
StandardError=journal+console
ProtectSystem=strict
ReadWritePaths=/usr/local/lib /etc/systemd/system
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
NoNewPrivileges=yes
CapabilityBoundingSet=
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service

[Install]
WantedBy=multi-user.target
`;

/** curl(1), `--config`: within double quotes, backslash and double quote are escaped. */
const quote = (text: string) => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;

export interface PhoneHome {
  /** Where the report goes by POST: http or https. */
  url: string;
  /** What `expect` gave for this server. */
  token: Secret;
  instanceUuid: string;
}

/**
 * What the target needs to phone home on its first boot. The unit removes all of it once its report is accepted.
 * @throws Failure `phone-home-token-invalid`, `phone-home-url-invalid` (configuration)
 */
export function phoneHomeFiles({ url, token, instanceUuid }: PhoneHome): TargetFile[] {
  // RFC 6750 section 2.1, b64token: all that a bearer token may be.
  if (!/^[A-Za-z0-9\-._~+/]+=*$/.test(reveal(token))) {
    throw new Failure({
      code: "phone-home-token-invalid",
      kind: "configuration",
      message: "preparing the phone home: the token has characters that an HTTP bearer token cannot have",
      hint: "use the token that `metalcast phone-home expect` printed",
    });
  }
  const request = `url = ${quote(parseUrl(url))}\nheader = ${quote(`Authorization: Bearer ${reveal(token)}`)}\n`;
  return [
    { path: `${directory}/phone-home`, mode: 0o700, content: phoneHomeScript },
    { path: `${directory}/request`, mode: 0o600, content: new Secret(request) },
    { path: `${directory}/instance-id`, mode: 0o600, content: instanceUuid },
    { path: `/etc/systemd/system/${unit}`, mode: 0o644, content: unitFile },
    { path: `/etc/systemd/system/multi-user.target.wants/${unit}`, symlink: `/etc/systemd/system/${unit}` },
  ];
}

/** As the URL parser writes it, nothing in the address can end a line or a quotation. */
function parseUrl(url: string): string {
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return new URL(url).href;
  throw new Failure({
    code: "phone-home-url-invalid",
    kind: "configuration",
    message: `preparing the phone home: ${url} is not an http or https address`,
    hint: "write an address such as https://control.example.net/phone-home",
  });
}
