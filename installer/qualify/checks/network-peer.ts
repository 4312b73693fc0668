import { z } from "zod";
import { Failure } from "../../../common/failure.ts";
import { parseJson } from "../../../common/parse-json.ts";
import { run } from "../../../common/run.ts";
import { type Check, measure } from "../check.ts";
import type { Settings } from "../profile.ts";

/** IP's and ICMP's headers: RFC 791, RFC 792. IPv6's is 20 bytes longer. */
const headerBytes = 28;

/** What goes through to a peer, how much of it is lost, and how large a packet may be. */
export const networkPeer: Check<Settings<"network-peer">> = {
  name: "network-peer",
  title: "send to a peer",
  kind: "load",
  programs: ({ peer }) => (peer === undefined ? [] : ["iperf3", "ping"]),
  async run({ peer, port, duration, pings, minMtu, ...limits }, { signal }) {
    if (peer === undefined) return { skipped: "the profile names no peer" };
    const subject = peer;
    const seconds = Math.ceil(duration);
    const loss = await ping(["-n", "-q", "-i", "0.2", "-c", String(pings), peer], pings, signal);
    const throughput = await sendTo(peer, port, seconds, signal);
    const largest = minMtu === undefined ? undefined : minMtu - headerBytes - (peer.includes(":") ? 20 : 0);
    const whole =
      largest === undefined
        ? undefined
        : await ping(["-n", "-q", "-M", "do", "-s", String(largest), "-c", "3", "-W", "2", peer], 3, signal);
    return {
      problems: throughput.problem === undefined ? [] : [throughput.problem],
      series: [{ name: `throughput to ${peer}`, unit: "Mbit/s", points: throughput.points }],
      measurements: [
        measure("throughput", throughput.megabits, { subject, unit: "Mbit/s", min: limits.minThroughputMbps }),
        measure("retransmits", throughput.retransmits, { subject }),
        measure("loss", loss.lossPercent, { subject, unit: "%", max: limits.maxLossPercent }),
        measure("round-trip", loss.roundTripMs, { subject, unit: "ms", max: limits.maxRoundTripMs }),
        ...(whole === undefined
          ? []
          : [
              measure(`packets-of-${minMtu}-bytes`, whole.lossPercent === 0 ? "passed" : "lost", {
                subject,
                oneOf: ["passed"],
              }),
            ]),
      ],
    };
  },
};

async function ping(args: readonly string[], count: number, signal: AbortSignal) {
  const timeoutMs = (count * 2 + 20) * 1000;
  // ping(8): 1 where nothing came back, 2 for other errors, such as a packet too large for the own link.
  const { stdout } = await run("ping", args, { doing: "pinging the peer", signal, timeoutMs, accept: [0, 1, 2] });
  return readPing(stdout);
}

/** The summary of iputils' ping. Without one, nothing came back. */
export function readPing(text: string): { lossPercent: number; roundTripMs: number | undefined } {
  const loss = /([\d.]+)% packet loss/.exec(text)?.[1];
  const average = /^rtt min\/avg\/max\/mdev = [\d.]+\/([\d.]+)\//m.exec(text)?.[1];
  return {
    lossPercent: loss === undefined ? 100 : Number(loss),
    roundTripMs: average === undefined ? undefined : Number(average),
  };
}

const rate = z.object({ bits_per_second: z.number() });
const iperfSchema = z.object({
  error: z.string().optional(),
  intervals: z.array(z.object({ sum: z.object({ end: z.number(), bits_per_second: z.number() }) })).default([]),
  end: z
    .object({ sum_sent: z.object({ retransmits: z.number().optional() }).optional(), sum_received: rate.optional() })
    .default({}),
});

interface Throughput {
  megabits: number;
  retransmits: number | undefined;
  points: [number, number][];
  problem?: string;
}

async function sendTo(peer: string, port: number, seconds: number, signal: AbortSignal): Promise<Throughput> {
  const args = ["--client", peer, "--port", String(port), "--time", String(seconds), "--json"];
  const connecting = ["--connect-timeout", "10000"];
  const { stdout } = await run("iperf3", [...args, ...connecting], {
    doing: "sending to the peer",
    signal,
    timeoutMs: (seconds + 60) * 1000,
    accept: [0, 1],
  });
  return readIperf(stdout);
}

/** What `iperf3 --json` says: iperf3(1). An error is one of its fields. */
export function readIperf(text: string): Throughput {
  const parsed = iperfSchema.safeParse(parseJson(text));
  if (!parsed.success) {
    throw new Failure({
      code: "output-unknown",
      kind: "failed",
      message: "reading what iperf3 says: it is not as known",
    });
  }
  const { error, intervals, end } = parsed.data;
  return {
    megabits: (end.sum_received?.bits_per_second ?? 0) / 1e6,
    retransmits: end.sum_sent?.retransmits,
    points: intervals.map(({ sum }) => [Number(sum.end.toFixed(1)), sum.bits_per_second / 1e6]),
    ...(error !== undefined && { problem: `iperf3: ${error}` }),
  };
}
