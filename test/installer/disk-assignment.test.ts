import fc from "fast-check";
import { expect, test } from "vitest";
import { assignDisks, type Demand } from "../../installer/disk-assignment.ts";

test("the counts may leave one choice where the hints alone would not", () => {
  const ssds = ["s1", "s2"];
  const all = [...ssds, "h1", "h2", "h3"];
  expect(
    assignDisks([
      { count: 2, candidates: ssds },
      { count: 3, candidates: all },
    ]),
  ).toEqual({ outcome: "unique", groups: [ssds, ["h1", "h2", "h3"]] });
  expect(
    assignDisks([
      { count: 2, candidates: ssds },
      { count: 2, candidates: all },
    ]),
  ).toMatchObject({ outcome: "ambiguous" });
  expect(
    assignDisks([
      { count: 2, candidates: ssds },
      { count: 4, candidates: all },
    ]),
  ).toEqual({ outcome: "impossible", missing: [0, 1] });
});

test("two groups that could swap their disks are ambiguous", () => {
  const both = ["a", "b"];
  expect(
    assignDisks([
      { count: 1, candidates: both },
      { count: 1, candidates: both },
    ]),
  ).toEqual({ outcome: "ambiguous", disks: both });
});

/** All ways to fulfil the demands, by trying. */
function choices(demands: readonly Demand<number>[], free: readonly number[]): number[][][] {
  const [first, ...rest] = demands;
  if (!first) return [[]];
  return subsets(
    first.candidates.filter((disk) => free.includes(disk)),
    first.count,
  ).flatMap((chosen) =>
    choices(
      rest,
      free.filter((disk) => !chosen.includes(disk)),
    ).map((others) => [chosen, ...others]),
  );
}

function subsets(items: readonly number[], size: number): number[][] {
  if (size === 0) return [[]];
  return items.flatMap((item, index) => subsets(items.slice(index + 1), size - 1).map((others) => [item, ...others]));
}

test("is what trying all choices finds", () => {
  const disks = [0, 1, 2, 3, 4, 5];
  const demand = fc.record({ count: fc.integer({ min: 1, max: 3 }), candidates: fc.subarray(disks) });
  fc.assert(
    fc.property(fc.array(demand, { minLength: 1, maxLength: 3 }), (demands) => {
      const found = choices(demands, disks);
      const result = assignDisks(demands);
      if (found.length === 0) expect(result.outcome).toBe("impossible");
      else if (found.length === 1) expect(result).toEqual({ outcome: "unique", groups: found[0] });
      else expect(result.outcome).toBe("ambiguous");
    }),
    { numRuns: 500 },
  );
});

test("many disks and groups that want the same take no time worth the name", () => {
  const disks = Array.from({ length: 256 }, (_, index) => index);
  const demands = Array.from({ length: 8 }, () => ({ count: 32, candidates: disks }));
  expect(assignDisks(demands).outcome).toBe("ambiguous");
});
