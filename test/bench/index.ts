import { parseArgs } from "node:util";
import { formatTable } from "../../common/table.ts";
import { formatSize } from "../../common/units.ts";
import { type Bench, type Measured, measure } from "./measure.ts";

/** Loaded only if asked for, so that one bench's needs are not another's. */
const benches: Record<string, () => Promise<Bench>> = {
  convert: () => import("./convert.ts").then(({ convertBench }) => convertBench),
  pack: () => import("./pack.ts").then(({ packBench }) => packBench),
  lay: () => import("./lay.ts").then(({ layBench }) => layBench),
  sync: () => import("./sync.ts").then(({ syncBench }) => syncBench),
};

/**
 * npm run bench -- [convert] [pack] [lay] [sync] [--rounds N] [--json]
 *
 * A table on standard output, or with --json one JSON document. Targets are printed and judged by people: a busy
 * machine is no failure. What can't be measured at all is one.
 */
async function main(): Promise<void> {
  const options = { rounds: { type: "string", default: "5" }, json: { type: "boolean", default: false } } as const;
  const { values, positionals: names } = parseArgs({ options, allowPositionals: true });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds ${values.rounds}: expected a number from 1`);
  const unknown = names.filter((name) => !(name in benches));
  if (unknown.length > 0) throw new Error(`no bench ${unknown.join(" ")}; there are ${Object.keys(benches).join(" ")}`);
  const results: Measured[] = [];
  for (const [name, load] of Object.entries(benches)) {
    if (names.length > 0 && !names.includes(name)) continue;
    for await (const comparison of (await load()).compare()) {
      process.stderr.write(`bench: ${comparison.title}, ${rounds} rounds\n`);
      const measured = await measure(comparison, rounds);
      results.push(measured);
      if (!values.json) process.stdout.write(`${describe(measured)}\n\n`);
    }
  }
  if (values.json) process.stdout.write(`${JSON.stringify(results, undefined, 2)}\n`);
}

function describe({ title, ours, peers }: Measured): string {
  const figures = ({ name, seconds, processorSeconds, peakBytes, traffic }: Measured["ours"]) => [
    name,
    ...(traffic ? [`${traffic.requests}`, formatSize(traffic.bytes)] : []),
    `${seconds.toFixed(2)} s`,
    `${processorSeconds.toFixed(2)} s`,
    `${Math.round(peakBytes / 2 ** 20)} MiB`,
  ];
  const rows = peers.map((peer) => {
    const range = `${Math.min(...peer.ratios).toFixed(2)} to ${Math.max(...peer.ratios).toFixed(2)}`;
    return [...figures(peer), peer.ratio.toFixed(2), range, peer.target === undefined ? "" : `<= ${peer.target}`];
  });
  const passed = ours.traffic ? ["requests", "bytes"] : [];
  return formatTable(
    [title, ...passed, "time", "processor", "memory", "ours/peer", "range", "target"],
    [figures(ours), ...rows],
  );
}

await main();
