import type { License } from "./license.ts";

/** sysexits(3), as subscription_manager/cli_command/cli.py and register.py end with them. */
const usage = 64;
const unavailable = 69;
const configuration = 78;

/** subscription_manager/exceptions.py has what is said, from 1.24 of RHEL 7.9 on: in English, since the fence's locale is C. */
const unreachable =
  /Network error|Connection error|Proxy error, unable|Proxy error: unable|Proxy connection failed|Unable to reach the server|Remote server error|rate limit has been exceeded|timed out/i;
const refused =
  /Invalid credentials|Invalid username or password|Unable to verify server's identity|Bad CA certificate|cannot register with any organizations|Couldn't find organization|Activation key/i;

/**
 * subscription-manager ends with 70 whatever the server says, or where there is no server: its words say which it was. The code of HTTP
 * goes before them, which may be in the server's own language.
 */
export const judgeRhsm: License<never>["judge"] = (exitCode, words) => {
  const status = Number(/HTTP error code (\d{3})/.exec(words)?.[1]);
  if (status >= 500 || status === 408 || status === 429) return "retry";
  if (status >= 400) return "configuration";
  if (exitCode === unavailable || unreachable.test(words)) return "retry";
  // 126 and 127: there is no such program (our own starter, as a shell would).
  if ([usage, configuration, 126, 127].includes(exitCode ?? -1) || refused.test(words)) return "configuration";
  return "failed";
};
