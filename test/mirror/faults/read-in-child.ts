import { setTimeout as delay } from "node:timers/promises";
import { readShard } from "../../../mirror/frames.ts";
import { HttpStore } from "../../../mirror/http-store.ts";
import { parseManifest } from "../../../mirror/manifest.ts";
import { readWhole } from "../../../mirror/read-whole.ts";
import { collect } from "../gather.ts";

/**
 * read-in-child.ts URL: reads manifest.json and the first shard of image.tar.zst, slower than they come, then an object
 * that may not be long. Prints the bytes of the shard, what became of the object, and the memory that all of it took.
 */
const store = new HttpStore(new URL(process.argv[2] ?? ""));
const manifest = parseManifest(await collect(store.read("manifest.json")), "manifest.json");
let sizeBytes = 0;
for await (const frame of readShard(store, "image.tar.zst", manifest, 0)) {
  sizeBytes += frame.byteLength;
  await delay(2);
}
const outcome = await readWhole(store, "endless", { limitBytes: 2 ** 20 }).catch(({ code }) => code);
const peakBytes = process.resourceUsage().maxRSS * 1024;
process.stdout.write(JSON.stringify({ sizeBytes, outcome, peakBytes }));
