import { bundle } from "../lab/bundle.ts";

const resolveDir = new URL("../..", import.meta.url).pathname;

const wipeProgram = `
  import { observeCommands } from "./common/run.ts";
  import { discoverHardware } from "./installer/hardware.ts";
  import { withoutAutoAssembly } from "./installer/wipe/auto-assembly.ts";
  import { wipeSteps } from "./installer/wipe/plan-wipe.ts";
  import { runTakeApart, runWipe } from "./installer/wipe/run-wipe.ts";

  const [held, depth, ...names] = process.argv.slice(2);
  let stops = 0;
  observeCommands((command) => {
    if (command.startsWith("mdadm --stop")) stops += 1;
  });
  const options = { signal: new AbortController().signal, advance: () => {} };
  try {
    const { disks, stack } = await discoverHardware();
    const chosen = disks.filter(({ name }) => names.includes(name));
    const steps = wipeSteps(chosen, stack, { held, depth });
    await withoutAutoAssembly(async () => {
      for (const step of steps) await (step.kind === "wipe" ? runWipe(step, options) : runTakeApart(step, options));
    });
  } catch (error) {
    console.log("error " + error.code + ": " + error.message);
    process.exitCode = error.exitCode ?? 99;
  }
  if (stops > 0) console.log("stopped " + stops + " arrays");
`;

/** `node wipe.mjs HELD DEPTH DISK...` does what an installation does with these disks before it lays them out. */
export const bundleWipeProgram = () => bundle({ stdin: { contents: wipeProgram, resolveDir, loader: "ts" } });
