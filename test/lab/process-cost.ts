import { run } from "../../common/run.ts";

/**
 * Whether a process costs this machine so much that User Mode Linux, which is one that traces others, takes longer than
 * an emulated processor: some virtual machines take ten times the usual. Measured in processor time, so that it does not
 * matter what else is running.
 */
export function areProcessesCostly(): Promise<boolean> {
  measured ??= measure();
  return measured;
}

const processes = 100;
const costlyMs = 3;
let measured: Promise<boolean> | undefined;

async function measure(): Promise<boolean> {
  const script = `i=0; while [ $i -lt ${processes} ]; do /bin/true; i=$((i+1)); done; times`;
  const { stdout } = await run("sh", ["-c", script], { doing: "measuring what a process costs" });
  // The shell's own line, then that of its children: minutes and seconds in user mode and in the kernel.
  const seconds = [...stdout.matchAll(/(\d+)m([\d.]+)s/g)].map(
    ([, minutes, rest]) => Number(minutes) * 60 + Number(rest),
  );
  return (seconds.reduce((sum, each) => sum + each, 0) * 1000) / processes > costlyMs;
}
