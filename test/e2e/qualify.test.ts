import { beforeAll, describe, expect, test } from "vitest";
import { runOnDisks } from "./run-on-disks.ts";

/**
 * `metalcast qualify` on real disks, arrays and network cards. The rescue system has no programs for loads: the host's
 * run there, by the host's own loader, from a folder that is shared.
 */
const hostPrograms = ["fio", "iperf3", "ping", "stress-ng"];
const libraries = "/mnt/host/lib/x86_64-linux-gnu";
/** fio's Ceph has a folder of its own. */
const libraryPath = `${libraries}:${libraries}/ceph`;
const script = (program: string) =>
  `#!/bin/sh\nexec ${libraries}/ld-linux-x86-64.so.2 --library-path ${libraryPath} /mnt/host/bin/${program} "$@"\n`;

const image = { formatVersion: 1, name: "debian-12", version: "20261123.0", manifestSha256: "a".repeat(64) };
const answers = new Map<string, string>();

beforeAll(async () => {
  const programs = hostPrograms.map((program) => [`/usr/local/bin/${program}`, script(program)]);
  const lines = await runOnDisks(new URL("./make-qualify.ts", import.meta.url), {
    files: { "/etc/metalcast/image.json": JSON.stringify(image), ...Object.fromEntries(programs) },
    shares: { "/mnt/host": "/usr" },
  });
  for (const line of lines) {
    const [, what = "", found = ""] = /^([^:]+): (.*)$/.exec(line) ?? [];
    answers.set(what, found);
  }
});

test.each([
  ["good, exit code", /^0, passed$/],
  ["good, image", /^debian-12@20261123\.0 64$/],
  ["good, compute", /^passed$/],
  ["good, memory", /^passed$/],
  ["good, disk-io", /^passed$/],
  ["good, network-bonds", /^skipped, there is no bond$/],
  ["good, inventory", /^passed$/],
  ["limit, exit code", /^1, failed$/],
  ["limit, disk-io", /^failed, read of \/srv\/good is [\d.]+ MB\/s, at least 1000000000 expected$/],
  ["required, exit code", /^1, failed$/],
  ["required, network-bonds", /^failed, there is no bond$/],
])("%s", (what, words) => {
  expect(answers.get(what)).toMatch(words);
});

describe("a disk that returns errors", () => {
  test("in a file system is told by folder, with fio's words and the kernel's", () => {
    expect(answers.get("bad folder, exit code")).toBe("1, failed");
    const reason = answers.get("bad folder, disk-io");
    expect(reason).toMatch(/^failed, write on \/srv\/bad failed: fio: .*Input\/output error/);
    expect(reason).toContain(`${answers.get("bad device is")} of /srv/bad: the kernel says "`);
    expect(reason).toMatch(/I\/O error, dev sd\w+, sector \d+/);
    expect(reason).not.toContain("/srv/good");
  });

  test("that is overwritten itself is told by its name", () => {
    expect(answers.get("bad device, exit code")).toBe("1, failed");
    expect(answers.get("bad device, disk-io")).toMatch(
      /^failed, write on (\/dev\/sd\w+) failed: fio: .*Input\/output error.*; \1 of \1: the kernel says "/,
    );
  });

  test("is not overwritten while it is mounted", () => {
    expect(answers.get("mounted device, disk-io")).toMatch(
      /^failed, refusing to overwrite \/dev\/sd\w+: something holds/,
    );
  });
});

test("an array without a member fails, and is named", () => {
  expect(answers.get("arrays, exit code")).toBe("1, failed");
  expect(answers.get("arrays, disk-arrays")).toMatch(/^failed, missing-members of md\w+ is 1, at most 0 expected$/);
});

test.each([
  ["/dev/sda", "device-held", "it is mounted"],
  ["/dev/sdb", "device-held", "its partitions are in use"],
  ["/dev/sdb1", "device-held", "it is a member of an array"],
  ["/dev/sdb2", "device-held", "it is swapped to"],
  ["/dev/sdb3", "device-held", "a volume group is on it"],
  ["/dev/sdb4", "may be done", "nobody uses it"],
  ["/dev/none", "device-missing", "there is no such device"],
  ["/etc", "no-device", "it is a folder"],
])("overwriting %s: %s, since %s", (path, code) => {
  expect(answers.get(`overwriting ${path}`)).toBe(code);
});

test.each([
  ["exit code", "130, interrupted"],
  ["network-links", "skipped, interrupted before its end"],
  ["disk-io", "skipped, interrupted before its end"],
  ["disk-arrays", "skipped, interrupted before its end"],
  ["its report", "report.html report.json"],
  ["programs left", "0"],
  ["files left", "0"],
])("SIGTERM in the midst of it: %s", (what, found) => {
  expect(answers.get(`interrupted, ${what}`)).toBe(found);
});

test("after an interruption the next one runs", () => {
  expect(answers.get("afterwards, disk-io")).toBe("passed");
});

test("a peer that all gets through to passes", () => {
  expect(answers.get("peer, network-peer")).toBe("passed");
});

test("a peer that packets are lost on the way to fails: loss, size of packets and throughput are told", () => {
  expect(answers.get("lossy peer, exit code")).toBe("1, failed");
  const reason = answers.get("lossy peer, network-peer");
  expect(reason).toMatch(/loss of 192\.0\.2\.2 is [\d.]+ %, at most 0 expected/);
  expect(reason).toContain("packets-of-9000-bytes of 192.0.2.2 is lost, not passed");
  expect(reason).toMatch(/throughput of 192\.0\.2\.2 is [\d.]+ Mbit\/s, at least 1000000000 expected/);
});
