import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { promote } from "../../../mirror/promote.ts";
import { prune } from "../../../mirror/prune.ts";
import type { Store } from "../../../mirror/store.ts";
import { sync } from "../../../mirror/sync/sync.ts";
import { verify } from "../../../mirror/verify/verify.ts";
import type { Fault } from "../../lab/fault-proxy.ts";
import { startFaultyS3 } from "./faulty-s3.ts";
import { openMirrorOfTwo, publishVersion, readAll, versions } from "./mirror-of-two.ts";

const s3 = await startFaultyS3();
afterAll(() => s3[Symbol.asyncDispose]());
const emit = () => undefined;
const arch = "amd64";

/** What is worth another try, if it does not go on for ever. */
const fault = fc.oneof(
  fc.constantFrom<Fault>(
    { answer: { status: 500 } },
    { answer: { status: 503, code: "SlowDown", headers: { "retry-after": "0" } } },
    { answer: { status: 429, code: "TooManyRequests" } },
    { refuse: true },
    { loseAnswer: true },
    { drip: { bytes: 200, everyMs: 1 } },
  ),
  fc.nat(2000).map((cutAfter): Fault => ({ cutAfter })),
);
/** One of six requests, by their number. */
const storm = fc.array(fc.tuple(fc.nat(5), fault), { minLength: 40, maxLength: 80 });

interface Place {
  mirror: Store;
  store: Store;
  root: string;
  /** Where a sync copies to. */
  target: Store;
}

/** A lock whose answer was lost is one of a run that was killed. */
const later = () => new Date(Date.now() + 600_000);
const copy = ({ store, target }: Place) => sync(store, target, { emit, retryDelayMs: 1, now: later });

/** What it is, what it does, and what stable names then. */
const verbs: [string, (place: Place) => Promise<unknown>, string][] = [
  ["publish", ({ mirror }) => publishVersion(mirror, versions[2]), versions[2]],
  ["promote", ({ mirror }) => promote(mirror, "debian-12:candidate", { arch }), versions[1]],
  ["prune", ({ mirror }) => prune(mirror, { keep: 1, graceMs: 0, emit }), versions[0]],
  ["sync", copy, versions[0]],
  [
    "verify",
    async ({ store, root }) => expect(await verify(store, { root, emit })).toMatchObject({ ok: true }),
    versions[0],
  ],
];

test.each(verbs)(
  "%s in a storm of faults is done, or worth another try; readers have whole versions, and a rerun finishes",
  { timeout: 900_000 },
  async (_, work, after) => {
    await fc.assert(
      fc.asyncProperty(storm, async (faults) => {
        const { store, faulty, mirror, faultyMirror, root, proxy } = await openMirrorOfTwo(s3);
        const { store: target, faulty: faultyTarget } = await s3.open();
        let left = [...faults];
        proxy.rule = () => {
          const [one] = left;
          if (!one) return undefined;
          const [wait, next] = one;
          left = wait > 0 ? [[wait - 1, next], ...left.slice(1)] : left.slice(1);
          return wait > 0 ? undefined : next;
        };
        await work({ mirror: faultyMirror, store: faulty, root, target: faultyTarget }).catch((error: unknown) =>
          // A lost answer makes of one's own write another writer's.
          expect(error).toMatchObject({ kind: expect.stringMatching(/^(retry|failed)$/) }),
        );
        expect(versions).toContain(await readAll(store, root));
        proxy.rule = () => undefined;
        await work({ mirror, store, root, target });
        await copy({ mirror, store, root, target });
        for (const place of [store, target]) {
          expect(await readAll(place, root)).toBe(after);
          expect(await verify(place, { root, emit })).toMatchObject({ ok: true });
        }
      }),
      { numRuns: 2, seed: 20261130 },
    );
  },
);
