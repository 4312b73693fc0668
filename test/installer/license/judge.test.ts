import { expect, test } from "vitest";
import { rhsm } from "../../../installer/license/rhsm.ts";
import { suse } from "../../../installer/license/suse.ts";
import { ubuntuPro } from "../../../installer/license/ubuntu-pro.ts";

test.each([
  [70, "Invalid Credentials (HTTP error code 401: Unauthorized)", "configuration"],
  [70, "HTTP error code 401: Invalid username or password", "configuration"],
  [70, "Unauthorized: Invalid credentials for request.", "configuration"],
  [70, "Unable to verify server's identity: [SSL] certificate verify failed", "configuration"],
  [64, "Error: Must specify an activation key", "configuration"],
  [78, "Error: CA certificate for subscription service has not been installed.", "configuration"],
  [1, "alice cannot register with any organizations.", "configuration"],
  [69, "Unable to reach the server at h:443/subscription", "retry"],
  [70, "Network error, unable to connect to server. Please see", "retry"],
  [70, "Remote server error. Please check the connection details", "retry"],
  [70, "Busy (HTTP error code 503: Service Unavailable)", "retry"],
  [70, "The server rate limit has been exceeded, please try again later.", "retry"],
  [65, "Consumer identity either does not exist or is corrupted.", "failed"],
  [70, "System certificates corrupted. Please reregister.", "failed"],
  [2, "Unable to find Subscription Manager module.", "failed"],
  [undefined, "", "failed"],
] as const)("subscription-manager, %s, %s", (exit, says, kind) => expect(rhsm.judge(exit, says)).toBe(kind));

test.each([
  [67, "Unknown Registration Code.", "configuration"],
  [64, "Error: connection refused", "retry"],
  [66, "Error: Cannot parse response from server", "retry"],
  [1, "SUSEConnect error: dial tcp: lookup scc.suse.com: no such host", "retry"],
  [4, "Zypper failed", "failed"],
] as const)("SUSEConnect, %i, %s", (exit, says, kind) => expect(suse.judge(exit, says)).toBe(kind));

test.each([
  [1, "Invalid token. See https://ubuntu.com/pro/dashboard", "configuration"],
  [1, "Failed to connect to authentication server", "retry"],
  [1, "Failed to attach machine.", "failed"],
] as const)("pro, %i, %s", (exit, says, kind) => expect(ubuntuPro.judge(exit, says)).toBe(kind));
