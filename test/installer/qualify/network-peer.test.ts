import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../../../common/run.ts";
import type { CheckContext } from "../../../installer/qualify/check.ts";
import { networkPeer } from "../../../installer/qualify/checks/network-peer.ts";
import { profileSchema } from "../../../installer/qualify/profile.ts";

/** A peer in a network of its own, with a real iperf3 and a real ping. Addresses: RFC 5737, TEST-NET-1. */
const peer = "192.0.2.250";
const name = `peer-${process.pid}`;
const card = `mc${process.pid}`;
const doing = "connecting a peer";
const stopping = new AbortController();
let serving: Promise<unknown> = Promise.resolve();

beforeAll(async () => {
  const ip = (...args: string[]) => run("ip", args, { doing });
  await ip("netns", "add", name);
  await ip("link", "add", card, "type", "veth", "peer", "name", "there", "netns", name);
  await ip("address", "add", "192.0.2.249/29", "dev", card);
  await ip("link", "set", card, "up");
  await ip("-n", name, "address", "add", `${peer}/29`, "dev", "there");
  await ip("-n", name, "link", "set", "there", "up");
  const listening = Promise.withResolvers<void>();
  serving = run("ip", ["netns", "exec", name, "iperf3", "--server", "--forceflush"], {
    doing,
    signal: stopping.signal,
    onLine: (line) => line.startsWith("Server listening") && listening.resolve(),
  }).catch((error: unknown) => listening.reject(error));
  await listening.promise;
});

afterAll(async () => {
  stopping.abort();
  await serving;
  await run("ip", ["netns", "delete", name], { doing });
});

async function ask(settings: object) {
  const { items } = profileSchema.parse({
    name: "test",
    items: { "network-peer": { peer, duration: "1 s", pings: 3, ...settings } },
  });
  const context: CheckContext = {
    signal: new AbortController().signal,
    loadEnded: Promise.resolve(),
    say: () => undefined,
  };
  const found = await networkPeer.run(items["network-peer"] ?? expect.unreachable(), context);
  return "skipped" in found ? expect.unreachable() : found;
}

const wrong = ({ measurements }: Awaited<ReturnType<typeof ask>>) =>
  measurements.filter(({ ok }) => !ok).map(({ name: what, value }) => [what, value]);

test("what gets through is measured, and packets as large as the link's", async () => {
  const found = await ask({ minMtu: 1500, minThroughputMbps: 0.001, maxRoundTripMs: 60_000 });
  expect(found.problems).toEqual([]);
  expect(wrong(found)).toEqual([]);
  const value = (what: string) => found.measurements.find((one) => one.name === what)?.value;
  expect(value("throughput")).toBeGreaterThan(0);
  expect(value("round-trip")).toBeGreaterThan(0);
  expect(value("loss")).toBe(0);
  expect(found.series?.[0]?.points.length).toBeGreaterThan(0);
});

test("a packet that is larger than the link's does not get through whole, and a limit that is not kept is told", async () => {
  expect(wrong(await ask({ minMtu: 9000, minThroughputMbps: 1e9 }))).toEqual([
    ["throughput", expect.any(Number)],
    ["packets-of-9000-bytes", "lost"],
  ]);
});

test("a peer that is not there is a problem in iperf3's words, and loses all", async () => {
  const found = await ask({ peer: "192.0.2.251", maxRoundTripMs: 1 });
  expect(found.problems).toEqual([expect.stringMatching(/^iperf3: .*unable to connect to server/)]);
  expect(wrong(found)).toEqual([
    ["loss", 100],
    ["round-trip", "unknown"],
  ]);
});
