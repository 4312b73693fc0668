import { isInstalled } from "../../common/programs.ts";

/** What brings a program, on Debian and on EL. */
const packages: Readonly<Record<string, readonly [debian: string, el: string]>> = {
  dmesg: ["util-linux", "util-linux"],
  fio: ["fio", "fio"],
  iperf3: ["iperf3", "iperf3"],
  ping: ["iputils-ping", "iputils"],
  smartctl: ["smartmontools", "smartmontools"],
  "stress-ng": ["stress-ng", "stress-ng"],
  timedatectl: ["systemd", "systemd"],
};

/** @returns undefined where all are there; else what is missing and the packages that bring it, on one line */
export async function describeMissing(programs: readonly string[]): Promise<string | undefined> {
  const missing: string[] = [];
  for (const program of programs) if (!(await isInstalled(program))) missing.push(program);
  if (missing.length === 0) return undefined;
  const names = (column: 0 | 1) => missing.map((program) => packages[program]?.[column] ?? program).join(" ");
  return `not installed: ${missing.join(", ")}; apt-get install ${names(0)}, on EL dnf install ${names(1)}`;
}
