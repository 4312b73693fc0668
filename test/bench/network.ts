import { run } from "../../common/run.ts";

export interface Network extends AsyncDisposable {
  /** The program and arguments that run a command in it. */
  within<T extends readonly string[]>(...command: T): ["ip", "netns", "exec", string, ...T];
}

/**
 * A network of its own, which is a loopback interface: nothing else passes through it.
 * @param rate what passes in a second, as tc(8) writes it; default: what the processors can do
 */
export async function openNetwork(rate?: string): Promise<Network> {
  const name = `metalcast-bench-${process.pid}`;
  const within: Network["within"] = (...command) => ["ip", "netns", "exec", name, ...command];
  await run("ip", ["netns", "add", name], { doing: "making a network" });
  const network = {
    within,
    [Symbol.asyncDispose]: async () =>
      void (await run("ip", ["netns", "delete", name], { doing: "removing a network" })),
  };
  try {
    for (const command of [
      within("ip", "link", "set", "lo", "up"),
      // tc-tbf(8): a burst has to be as large as what the rate lets through in one tick, at least.
      ...(rate
        ? [within("tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", rate, "burst", "1mb", "latency", "50ms")]
        : []),
    ]) {
      const [program, ...args] = command;
      await run(program, args, { doing: "setting a network up" });
    }
  } catch (error) {
    await network[Symbol.asyncDispose]();
    throw error;
  }
  return network;
}
