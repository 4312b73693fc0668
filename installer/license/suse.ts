import { Secret } from "../../common/secret.ts";
import type { License } from "./license.ts";
import type { SuseSettings } from "./settings.ts";

/**
 * SUSE Linux Enterprise. `--regcode -` reads the code from standard input in suseconnect-ng from October 2024 on
 * (https://github.com/SUSE/connect-ng, cmd/suseconnect/suseconnect.go, `processToken`); an older one takes it for a code, which
 * the server refuses.
 */
export const suse: License<SuseSettings> = {
  title: "SUSE Customer Center",
  suits: "SUSE Linux Enterprise",
  accepts: ({ family, osRelease }) => family === "suse" && /^(?:sle|sl-|suse)/.test(osRelease.ID ?? ""),
  registration: ({ registrationCode, email, url }) => ({
    command: [
      "SUSEConnect",
      "--regcode",
      "-",
      ...(email === undefined ? [] : ["--email", email]),
      ...(url === undefined ? [] : ["--url", url]),
    ],
    input: new Secret(`${registrationCode.reveal()}\n`),
    identity: "/etc/zypp/credentials.d/SCCcredentials",
    undo: ["SUSEConnect", "--cleanup"],
  }),
  files: () => [],
  edits: () => undefined,
  // 64: the connection was refused; 66: the answer was none; 67: the server says no (suseconnect.go, `exitOnError`).
  judge: (exitCode, words) => {
    if (exitCode === 64 || exitCode === 66 || /no such host|timeout|unreachable/i.test(words)) return "retry";
    return exitCode === 67 || exitCode === 127 ? "configuration" : "failed";
  },
};
