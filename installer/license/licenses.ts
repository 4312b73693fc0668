import type { License, LicenseName } from "./license.ts";
import { rhsm } from "./rhsm.ts";
import { suse } from "./suse.ts";
import { ubuntuPro } from "./ubuntu-pro.ts";

/** By their field in the job's `license`. */
export const licenses = { rhsm, suse, ubuntuPro } satisfies Record<LicenseName, License<never>>;
