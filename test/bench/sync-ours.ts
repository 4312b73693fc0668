import { openStore } from "../../mirror/open-store.ts";
import { sync } from "../../mirror/sync/sync.ts";

/** sync-ours FROM TO: syncs as the command does, in a process that can be measured. */
const [from = "", to = ""] = process.argv.slice(2);
await sync(openStore(from), openStore(to), { emit: () => undefined });
