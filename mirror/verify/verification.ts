import type { Emit } from "../../common/event.ts";
import type { RetryOptions } from "../retry.ts";
import type { Store } from "../store.ts";
import type { ListedFile } from "../sync/read-statement.ts";
import type { Finding } from "./finding.ts";
import type { Mender } from "./mender.ts";

/** A finding, and what should be there, where that can be told by its hash. */
export interface Damage {
  finding: Finding;
  file?: ListedFile;
}

/** What all parts of one run work with. */
export interface Verification {
  store: Store;
  damages: Damage[];
  /** Objects that were looked at, and the bytes of content that were read and hashed. */
  checked: { objects: number; bytes: number };
  quick: boolean;
  /** Puts in place what is damaged; undefined where nothing is to be repaired. */
  mender: Mender | undefined;
  emit: Emit;
  retry: RetryOptions & { signal?: AbortSignal };
}
