import { Secret } from "../../common/secret.ts";
import type { License } from "./license.ts";
import type { UbuntuProSettings } from "./settings.ts";

/** In memory, and gone with the fence. */
const attachConfig = "/run/metalcast/attach.yaml";

/** Optional on Ubuntu. `--attach-config` keeps the token out of the arguments (pro(1)). */
export const ubuntuPro: License<UbuntuProSettings> = {
  title: "Ubuntu Pro",
  suits: "Ubuntu",
  accepts: ({ osRelease }) => osRelease.ID === "ubuntu",
  registration: ({ token, services }) => ({
    command: ["sh", "-euc", `umask 077; cat >"$1"; exec pro attach --attach-config "$1"`, "pro", attachConfig],
    // JSON is YAML.
    input: new Secret(JSON.stringify({ token: token.reveal(), ...(services && { enable_services: services }) })),
    identity: "/var/lib/ubuntu-advantage/private/machine-token.json",
    undo: ["pro", "detach", "--assume-yes"],
  }),
  files: () => [],
  edits: () => undefined,
  // uaclient/messages: it ends with 1 for nearly all.
  judge: (exitCode, words) => {
    if (/Failed to connect|Could not (?:connect|resolve)|Network is unreachable|timed out/i.test(words)) return "retry";
    return exitCode === 127 || /invalid token|expired|already attached/i.test(words) ? "configuration" : "failed";
  },
};
