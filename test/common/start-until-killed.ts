import { run } from "../../common/run.ts";

/** start-until-killed.ts PROGRAM ARGUMENT...: runs a program and tells its process number first. */
const [program = "", ...args] = process.argv.slice(2);
const tell = ["-c", 'echo $$; exec "$0" "$@"', program, ...args];
await run("sh", tell, { doing: "testing", onLine: (line) => process.stdout.write(`${line}\n`) });
