import { availableParallelism } from "node:os";
import { type Check, measure } from "../check.ts";
import type { Settings } from "../profile.ts";
import { runStress } from "../run-stress.ts";
import { readMemoryErrors } from "../sensors.ts";
import { readWord } from "../system-file.ts";

/** Memory keeps what is written to it, and its controllers count no errors. */
export const memory: Check<Settings<"memory">> = {
  name: "memory",
  title: "write patterns to memory, and read them again",
  kind: "load",
  programs: () => ["stress-ng"],
  async run({ duration, percent, maxCorrectedErrors, maxUncorrectedErrors }, { signal }) {
    const before = await readMemoryErrors();
    const workers = availableParallelism();
    const available = Number(/^MemAvailable:\s+(\d+) kB$/m.exec(await readWord("/proc/meminfo"))?.[1] ?? 0);
    const kibibytes = Math.floor((available * percent) / 100 / workers);
    const args = ["--vm", String(workers), "--vm-bytes", `${kibibytes}K`, "--vm-method", "all"];
    // It is one's own to keep, not given back and taken anew all the time.
    const { problems } = await runStress([...args, "--vm-keep"], {
      seconds: duration,
      doing: "testing memory",
      signal,
    });
    const after = await readMemoryErrors();
    return {
      problems,
      measurements: [
        measure("tested", (kibibytes * workers) / 2 ** 10, { unit: "MiB" }),
        ...(before && after
          ? [
              measure("corrected-errors", after.corrected - before.corrected, { max: maxCorrectedErrors }),
              measure("uncorrected-errors", after.uncorrected - before.uncorrected, { max: maxUncorrectedErrors }),
            ]
          : [measure("error-counters", "none: no memory controller tells of errors")]),
      ],
    };
  },
};
