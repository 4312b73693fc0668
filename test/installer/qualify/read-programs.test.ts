import { expect, test } from "vitest";
import { readHealth } from "../../../installer/qualify/checks/disk-health.ts";
import { readBond } from "../../../installer/qualify/checks/network-bonds.ts";
import { readIperf, readPing } from "../../../installer/qualify/checks/network-peer.ts";
import { readTimesync, readTracking } from "../../../installer/qualify/clock-keeper.ts";
import { readFio } from "../../../installer/qualify/run-fio.ts";
import { readStress } from "../../../installer/qualify/run-stress.ts";

test("ping: loss and the average round trip", () => {
  const text = `3 packets transmitted, 2 received, 33.3333% packet loss, time 406ms
rtt min/avg/max/mdev = 0.052/0.110/0.166/0.046 ms\n`;
  expect(readPing(text)).toEqual({ lossPercent: 33.3333, roundTripMs: 0.11 });
});

test("ping that says nothing has lost all", () => {
  expect(readPing("")).toEqual({ lossPercent: 100, roundTripMs: undefined });
});

test("iperf3: what arrived, and how it went", () => {
  const text = JSON.stringify({
    intervals: [{ sum: { end: 1.0004, bits_per_second: 3e9 } }],
    end: { sum_sent: { retransmits: 4 }, sum_received: { bits_per_second: 2.5e9 } },
  });
  expect(readIperf(text)).toEqual({ megabits: 2500, retransmits: 4, points: [[1, 3000]] });
});

test("iperf3: an error is a problem, and nothing arrived", () => {
  const text = JSON.stringify({ intervals: [], end: {}, error: "unable to connect to server" });
  expect(readIperf(text)).toMatchObject({ megabits: 0, problem: "iperf3: unable to connect to server" });
});

test("iperf3: what is no JSON is a failure", () => {
  expect(() => readIperf("segmentation fault")).toThrow(/iperf3/);
});

const side = { io_bytes: 1, bw_bytes: 5e6, iops: 12, clat_ns: { percentile: { "99.000000": 3e6 } } };

test("fio: speeds, and the error of a job, below lines of complaint", () => {
  const text = `fio: io_u error on file /x\n${JSON.stringify({ jobs: [{ jobname: "q", error: 5, read: side, write: side }] })}`;
  const speed = { megabytesPerSecond: 5, operationsPerSecond: 12, latencyMs: 3 };
  expect(readFio(text)).toEqual({ read: speed, write: speed, error: 5 });
});

test("stress-ng: failed verifications, and its metrics", () => {
  const lines = [
    "stress-ng: info:  [8846] dispatching hogs: 2 cpu",
    "stress-ng: fail:  [8847] cpu: prime error detected, number of primes between 0 and 1000000 is incorrect",
    "stress-ng: metrc: [8846] cpu                 699      3.01      0.46      0.02       232.60        1455.99",
  ];
  expect(readStress(lines)).toEqual({
    operationsPerSecond: 232.6,
    complaints: ["cpu: prime error detected, number of primes between 0 and 1000000 is incorrect"],
  });
});

test("a bond and its members: the bond's own state is the first", () => {
  const text = `Bonding Mode: IEEE 802.3ad Dynamic link aggregation
MII Status: up

Slave Interface: eno1
MII Status: up

Slave Interface: eno2
MII Status: down\n`;
  expect(readBond(text)).toEqual({
    mode: "IEEE 802.3ad Dynamic link aggregation",
    state: "up",
    members: [
      { name: "eno1", state: "up" },
      { name: "eno2", state: "down" },
    ],
  });
});

test("SMART of an ATA disk", () => {
  const table = [5, 197].map((id) => ({ id, raw: { value: id } }));
  const text = JSON.stringify({
    smart_status: { passed: false },
    temperature: { current: 41 },
    ata_smart_attributes: { table },
  });
  expect(readHealth(text)).toMatchObject({ passed: false, reallocated: 5, pending: 197, temperature: 41 });
});

test("SMART of an NVMe disk, and of one that has none", () => {
  const log = { media_errors: 2 };
  const text = JSON.stringify({ smart_status: { passed: true }, nvme_smart_health_information_log: log });
  expect(readHealth(text)).toMatchObject({ passed: true, mediaErrors: 2 });
  expect(readHealth(JSON.stringify({ smartctl: { exit_status: 1 } }))).toBeUndefined();
});

test("chrony: how far the clock is off, and how much its oscillator", () => {
  const text =
    "A29FC87B,162.159.200.123,4,1764496812.123456789,-0.000012500,0.000003,0.00002,-21.500,0.001,0.05,0.01,0.002,64.2,Normal\n";
  expect(readTracking(text)).toEqual({ name: "chrony", frequencyPpm: -21.5, offsetMs: -0.0125 });
  expect(readTracking(text.replace("Normal", "Not synchronised"))).toBeUndefined();
  expect(readTracking("506 Cannot talk to daemon\n")).toBeUndefined();
});

test("timesyncd: the correction in units of 2^-16 ppm, once there is one", () => {
  expect(readTimesync("-1408205\n")).toEqual({ name: "systemd-timesyncd", frequencyPpm: expect.closeTo(-21.4875, 3) });
  expect(readTimesync("0\n")).toBeUndefined();
  expect(readTimesync("Failed to connect to bus: No such file or directory\n")).toBeUndefined();
});
