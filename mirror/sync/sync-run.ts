import type { Emit } from "../../common/event.ts";
import type { RetryOptions } from "../retry.ts";
import type { Store } from "../store.ts";
import type { Bandwidth } from "./bandwidth.ts";
import type { SyncFilter } from "./select-versions.ts";
import type { ServerCopies } from "./server-copies.ts";
import type { Tally } from "./tally.ts";

/** What all parts of one run work with. */
export interface SyncRun {
  from: Store;
  to: Store;
  filter: SyncFilter;
  deletes: boolean;
  dryRun: boolean;
  bandwidth: Bandwidth | undefined;
  serverCopies: ServerCopies;
  tally: Tally;
  emit: Emit;
  retry: RetryOptions & { signal?: AbortSignal };
}
