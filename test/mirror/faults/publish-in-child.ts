import { openStore } from "../../../mirror/open-store.ts";
import { publish } from "../../../mirror/publish.ts";

/** publish-in-child.ts ENDPOINT DIRECTORY: publishes to a bucket, and prints the memory that it took. */
const [endpoint = "", directory = ""] = process.argv.slice(2);
const credentials = { accessKeyId: "a", secretAccessKey: "b" };
await publish(openStore("s3://bucket", { s3: { endpoint, credentials } }), directory, { emit: () => undefined });
process.stdout.write(JSON.stringify({ peakBytes: process.resourceUsage().maxRSS * 1024 }));
