import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { Event } from "../../../common/event.ts";
import { Failure } from "../../../common/failure.ts";
import {
  type Check,
  type CheckContext,
  type Findings,
  measure,
  type Skipped,
} from "../../../installer/qualify/check.ts";
import { checks as realChecks } from "../../../installer/qualify/checks/index.ts";
import { type ItemName, profileSchema } from "../../../installer/qualify/profile.ts";
import { type Checks, runItems } from "../../../installer/qualify/run-items.ts";

type Run = (context: CheckContext) => Promise<Findings | Skipped>;

function standIn(kind: "load" | "watch", run: Run, programs: readonly string[] = []): Check<unknown> {
  return { name: "stand-in", title: "stand in", kind, programs: () => programs, run: (_, context) => run(context) };
}

/** @param items with the settings of each; what is in `changed` stands in for the real check */
async function runAll(
  items: Partial<Record<ItemName, object>>,
  changed: Partial<Record<ItemName, Check<unknown>>>,
  signal = new AbortController().signal,
) {
  const events: Event[] = [];
  const checks: Checks = { ...realChecks, ...changed };
  const profile = profileSchema.parse({ name: "test", items });
  const names = Object.keys(items) as ItemName[];
  const found = await runItems(checks, profile, names, { emit: (event) => events.push(event), signal });
  return { events, items: found, told: found.map(({ name, outcome, reason }) => [name, outcome, reason]) };
}

const fine: Run = async () => ({ measurements: [measure("speed", 5, { min: 1 })] });

test("those that load run one after another, those that watch from the beginning until the load has ended", async () => {
  const log: string[] = [];
  const loading = (name: string) =>
    standIn("load", async () => {
      log.push(`${name} begins`);
      await delay(20);
      log.push(`${name} ends`);
      return { measurements: [] };
    });
  const watching = standIn("watch", async ({ loadEnded }) => {
    log.push("watching");
    await loadEnded;
    log.push("watched");
    return { measurements: [] };
  });
  const { items } = await runAll(
    { compute: {}, memory: {}, clock: {}, inventory: {} },
    { compute: loading("compute"), memory: loading("memory"), clock: watching, inventory: watching },
  );
  expect(items.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
    "compute passed",
    "memory passed",
    "clock passed",
    "inventory passed",
  ]);
  expect(log.filter((line) => !line.startsWith("watch"))).toEqual([
    "compute begins",
    "compute ends",
    "memory begins",
    "memory ends",
  ]);
  expect(log.slice(-2)).toEqual(["watched", "watched"]);
  expect(log.indexOf("watching")).toBeLessThan(log.indexOf("compute ends"));
});

describe("an outcome and its reason", () => {
  test.each<[string, Run, object, string, string | undefined]>([
    ["within its limits", fine, {}, "passed", undefined],
    [
      "beyond a limit, and with a problem in words",
      async () => ({ problems: ["it smells"], measurements: [measure("speed", 1, { min: 5, unit: "MB/s" })] }),
      {},
      "failed",
      "it smells; speed is 1 MB/s, at least 5 expected",
    ],
    ["nothing to measure", async () => ({ skipped: "there is no bond" }), {}, "skipped", "there is no bond"],
    [
      "nothing to measure of what is required",
      async () => ({ skipped: "there is no bond" }),
      { required: true },
      "failed",
      "there is no bond",
    ],
    [
      "a program fails",
      async () => {
        throw new Failure({ code: "command-failed", kind: "failed", message: "fio ended with 3" });
      },
      {},
      "failed",
      "fio ended with 3",
    ],
    [
      "a defect",
      async () => {
        throw new TypeError("undefined is not a function");
      },
      {},
      "failed",
      "stand in: undefined is not a function",
    ],
  ])("%s", async (_, run, settings, outcome, reason) => {
    const { told, events } = await runAll(
      { compute: settings, memory: {} },
      {
        compute: standIn("load", run),
        memory: standIn("load", fine),
      },
    );
    expect(told).toEqual([
      ["compute", outcome, reason],
      ["memory", "passed", undefined],
    ]);
    const ends = events.filter(({ kind }) => kind === "step-finished" || kind === "step-failed");
    expect(ends.map(({ kind }) => kind)).toEqual([
      outcome === "failed" ? "step-failed" : "step-finished",
      "step-finished",
    ]);
  });

  test("a program that is not installed is named with its package, and what needs it is not begun", async () => {
    const run: Run = async () => expect.unreachable();
    const { told } = await runAll({ compute: {} }, { compute: standIn("load", run, ["no-such-program", "sh"]) });
    const reason = "not installed: no-such-program; apt-get install no-such-program, on EL dnf install no-such-program";
    expect(told).toEqual([["compute", "skipped", reason]]);
  });
});

test("an interruption ends what runs and begins nothing more; what was found before stays", async () => {
  const interruption = new AbortController();
  const untilAborted: Run = ({ signal }) => delay(60_000, { measurements: [] }, { signal });
  const interrupting: Run = async (context) => {
    setTimeout(() => interruption.abort(), 10);
    return untilAborted(context);
  };
  const watching: Run = async (context) => {
    await context.loadEnded;
    return untilAborted(context);
  };
  const { told } = await runAll(
    { "disk-arrays": {}, compute: {}, memory: {}, clock: {} },
    {
      "disk-arrays": standIn("load", fine),
      compute: standIn("load", interrupting),
      memory: standIn("load", async () => expect.unreachable()),
      clock: standIn("watch", watching),
    },
    interruption.signal,
  );
  const interrupted = "interrupted before its end";
  expect(told).toEqual([
    ["disk-arrays", "passed", undefined],
    ["compute", "skipped", interrupted],
    ["memory", "skipped", interrupted],
    ["clock", "skipped", interrupted],
  ]);
});
