import { pack } from "../../factory/pack.ts";

/** pack-ours.ts TREE DESTINATION LATEST-TIME: packs as the factory does, in a process that can be measured. */
const [tree = "", destination = "", latestTime = ""] = process.argv.slice(2);
await pack({ tree, destination, latestTime: Number(latestTime) });
