import { areProcessesCostly } from "./process-cost.ts";
import type { CommandResult } from "./rescue-command.ts";
import type { RescueRun, Server } from "./server.ts";

/** Runs a command in the server's rescue system, on whichever machine is quicker here. */
export async function runQuickest(server: Server, rescue: RescueRun): Promise<CommandResult> {
  if (!(await areProcessesCostly())) return server.runRescue(rescue);
  const { hostPorts: _, ...rest } = rescue;
  return server.bootRescue({ ...rest, firmware: "bios" });
}
