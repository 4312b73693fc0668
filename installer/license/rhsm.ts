import { Secret } from "../../common/secret.ts";
import type { Command, TargetFile } from "../step.ts";
import type { IniSettings } from "./ini.ts";
import { judgeRhsm } from "./judge-rhsm.ts";
import type { License } from "./license.ts";
import { rhsmFirstBootFiles } from "./rhsm-first-boot.ts";
import { rhsmCommand } from "./rhsm-launcher.ts";
import type { RhsmSettings } from "./rhsm-settings.ts";

/** All files of that folder are believed: `ca_cert_dir` of rhsm.conf(5). */
const caPath = "/etc/rhsm/ca/metalcast.pem";

/** The certificate of the consumer, as the server calls a registered system. */
const identity = "/etc/pki/consumer/cert.pem";

/**
 * Without it there is nothing to unregister. What the server does not take back is told; the local part goes in any
 * case.
 */
const undo: Command = [
  "sh",
  "-c",
  `if [ -e ${identity} ]; then
  subscription-manager unregister || echo "the system stays registered on the server: remove it there"
fi
subscription-manager clean`,
];

/** Red Hat's, with Red Hat itself or with a Satellite, which knows the clones too. */
export const rhsm: License<RhsmSettings> = {
  title: "Red Hat Subscription Management",
  suits: "Red Hat Enterprise Linux and its family",
  accepts: ({ family }) => family === "redhat",
  registration: (settings, hostname) =>
    settings.when === "installation"
      ? {
          command: rhsmCommand,
          input: new Secret(JSON.stringify(registerArguments(settings, hostname))),
          identity,
          undo,
        }
      : undefined,
  files: (settings) => [...settingFiles(settings), ...(settings.when === "first-boot" ? firstBoot(settings) : [])],
  edits: (settings) => ({
    path: "/etc/rhsm/rhsm.conf",
    mode: settings.proxy?.password ? 0o600 : 0o644,
    settings: configuration(settings),
  }),
  judge: judgeRhsm,
};

/**
 * Never `--force`: an image that carries another system's identity would have that one unregistered. Its name makes it easy to
 * find on the server.
 */
function registerArguments({ organization, activationKey, username, password }: RhsmSettings, hostname: string) {
  return [
    "register",
    `--name=${hostname}`,
    ...(organization === undefined ? [] : [`--org=${organization}`]),
    ...(activationKey ? [`--activationkey=${activationKey.reveal()}`] : []),
    ...(username === undefined ? [] : [`--username=${username}`]),
    ...(password ? [`--password=${password.reveal()}`] : []),
  ];
}

const firstBoot = ({ organization, activationKey, username, password }: RhsmSettings) =>
  rhsmFirstBootFiles({
    ...(organization !== undefined && { org: organization }),
    ...(activationKey && { "activation-key": activationKey.reveal() }),
    ...(username !== undefined && { username }),
    ...(password && { password: password.reveal() }),
  });

/** rhsm.conf(5). A server of one's own whose packages come from it is vouched for by the same certificate. */
function configuration({ server, proxy, baseUrl, ca }: RhsmSettings): IniSettings {
  const address = proxy && new URL(proxy.url);
  return {
    server: {
      ...(server && { hostname: server.hostname }),
      ...(server?.port !== undefined && { port: String(server.port) }),
      ...(server?.prefix !== undefined && { prefix: server.prefix }),
      ...(address && { proxy_hostname: address.hostname, proxy_port: address.port || "80" }),
      ...(proxy?.user !== undefined && { proxy_user: proxy.user }),
      ...(proxy?.password && { proxy_password: proxy.password }),
    },
    rhsm: {
      ...(baseUrl !== undefined && { baseurl: baseUrl }),
      ...(baseUrl !== undefined && ca !== undefined && { repo_ca_cert: caPath }),
    },
  };
}

/**
 * What a system is for is read from its file when it registers, in all versions that know of it; options for it come and go
 * (rhsmlib/services/register.py, `read_syspurpose`).
 */
function settingFiles({ ca, systemPurpose }: RhsmSettings): TargetFile[] {
  const purpose = systemPurpose && {
    role: systemPurpose.role,
    service_level_agreement: systemPurpose.serviceLevel,
    usage: systemPurpose.usage,
  };
  return [
    ...(ca === undefined ? [] : [{ path: caPath, mode: 0o644, content: ca }]),
    ...(purpose
      ? [
          {
            path: "/etc/rhsm/syspurpose/syspurpose.json",
            mode: 0o644,
            content: `${JSON.stringify(purpose, undefined, 2)}\n`,
          },
        ]
      : []),
  ];
}
