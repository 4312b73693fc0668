import { text } from "node:stream/consumers";
import { withLock } from "../../common/file-lock.ts";

/** hold-lock-until-killed.ts FILE: holds the lock until its standard input ends, whatever a Ctrl-C says. */
const [path = ""] = process.argv.slice(2);
process.on("SIGINT", () => process.stdout.write("interrupted\n"));
await withLock(path, async () => {
  process.stdout.write("locked\n");
  await text(process.stdin);
});
