import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../common/run.ts";
import { temporaryDirectory } from "../mirror/sample-image.ts";
import { watchMemory } from "./watch-memory.ts";

/** One way to do the work. */
interface Contender {
  name: string;
  /** Our own code runs in a Node process of its own, so that its start and its memory count as a peer's do. */
  command: readonly [program: string, ...args: string[]];
  /** Added to the clean environment of every command. */
  env?: Record<string, string>;
  /** Puts things back before every run: not measured. */
  prepare?: () => Promise<void>;
}

/** What passes through a server: requests, and bytes of bodies both ways. */
export interface Traffic {
  requests: number;
  bytes: number;
}

export interface Comparison {
  title: string;
  /** Counts the traffic of every contender, where there is any: what has passed since it was asked the last time. */
  traffic?: { take(): Traffic };
  ours: Contender;
  /** `target`: our time over the peer's is to be this at most. */
  peers: readonly (Contender & { target?: number })[];
}

/** Medians over all rounds. */
interface Figures {
  name: string;
  seconds: number;
  /** Of all processes together: what a busy machine changes least. */
  processorSeconds: number;
  /** See watch-memory.ts. */
  peakBytes: number;
  traffic?: Traffic;
}

export interface Measured {
  title: string;
  rounds: number;
  ours: Figures;
  /** `ratio`: the median of our time over the peer's, round by round; `ratios` has them all. */
  peers: (Figures & { ratio: number; ratios: number[]; target?: number })[];
}

/** One bench: what `index.ts` runs by its name. Comparisons come one by one, so that a bench can clean up between. */
export interface Bench {
  compare(): AsyncGenerator<Comparison, void, undefined>;
}

interface Sample {
  seconds: number;
  processorSeconds: number;
  peakBytes: number;
  traffic: Traffic | undefined;
}

/**
 * Runs ours and its peers in turn, round after round, so that a busy machine is as busy for one as for the other, and
 * compares within each round. The first round warms caches and does not count; every other one goes backwards.
 */
export async function measure({ title, traffic, ours, peers }: Comparison, rounds: number): Promise<Measured> {
  const contenders = [ours, ...peers];
  const samples = contenders.map((): Sample[] => []);
  for (let round = 0; round <= rounds; round += 1) {
    const order = [...contenders.entries()];
    for (const [index, contender] of round % 2 === 0 ? order : order.toReversed()) {
      const sample = await measureOnce(contender, traffic);
      if (round > 0) samples[index]?.push(sample);
    }
  }
  const [ourSamples = [], ...peerSamples] = samples;
  return {
    title,
    rounds,
    ours: summarize(ours.name, ourSamples),
    peers: peers.map(({ name, target }, index) => {
      const ratios = (peerSamples[index] ?? []).map(
        ({ seconds }, round) => (ourSamples[round]?.seconds ?? 0) / seconds,
      );
      const summary = summarize(name, peerSamples[index] ?? []);
      return { ...summary, ratio: median(ratios), ratios, ...(target !== undefined && { target }) };
    }),
  };
}

async function measureOnce(
  { name, command, env = {}, prepare }: Contender,
  traffic: Comparison["traffic"],
): Promise<Sample> {
  await prepare?.();
  traffic?.take();
  await using directory = await temporaryDirectory();
  const times = join(directory.path, "times");
  const memory = watchMemory();
  const startedAt = performance.now();
  try {
    await run("time", ["-f", "%U %S", "-o", times, ...command], { doing: `measuring ${name}`, env });
    const seconds = (performance.now() - startedAt) / 1000;
    const [user = 0, system = 0] = (await readFile(times, "utf8")).split(" ").map(Number);
    return { seconds, processorSeconds: user + system, peakBytes: memory.stop(), traffic: traffic?.take() };
  } finally {
    memory.stop();
  }
}

function summarize(name: string, samples: readonly Sample[]): Figures {
  const passed = samples.flatMap(({ traffic }) => (traffic ? [traffic] : []));
  return {
    name,
    seconds: median(samples.map(({ seconds }) => seconds)),
    processorSeconds: median(samples.map(({ processorSeconds }) => processorSeconds)),
    peakBytes: median(samples.map(({ peakBytes }) => peakBytes)),
    ...(passed.length > 0 && {
      traffic: {
        requests: median(passed.map(({ requests }) => requests)),
        bytes: median(passed.map(({ bytes }) => bytes)),
      },
    }),
  };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle) - 1] ?? 0)) / 2;
}
