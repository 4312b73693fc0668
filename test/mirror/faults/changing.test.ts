import { randomInt } from "node:crypto";
import { afterAll, describe, expect, test } from "vitest";
import { promote } from "../../../mirror/promote.ts";
import { prune } from "../../../mirror/prune.ts";
import type { Store } from "../../../mirror/store.ts";
import { sync } from "../../../mirror/sync/sync.ts";
import { verify } from "../../../mirror/verify/verify.ts";
import type { Asked, Fault, Rule } from "../../lab/fault-proxy.ts";
import { startFaultyS3 } from "./faulty-s3.ts";
import { openMirrorOfTwo, publishVersion, readAll, versions } from "./mirror-of-two.ts";

const s3 = await startFaultyS3();
afterAll(() => s3[Symbol.asyncDispose]());
const emit = () => undefined;
const arch = "amd64";
const denied: Fault = { answer: { status: 403, code: "AccessDenied" } };

/** Former metadata is none. */
async function problemsOf(store: Store, root: string): Promise<string[]> {
  const { findings } = await verify(store, { root, emit });
  return findings.flatMap(({ problem }) => (problem === "old" ? [] : [problem]));
}

const isChange = ({ method }: Asked) => method === "PUT" || method === "POST" || method === "DELETE";

/** Of all the changes that a verb makes, each run takes so much apart, from one that chance decides. */
const stride = 5;

/** From a change on all are denied, or one of them is done and its answer is lost. */
const faults: [string, (moment: number) => Rule][] = [
  [
    "rights that end",
    (moment) => {
      let changes = 0;
      return (asked) => {
        if (isChange(asked)) changes += 1;
        return changes > moment ? denied : undefined;
      };
    },
  ],
  [
    "an answer that is lost",
    (moment) => {
      let changes = 0;
      return (asked) => {
        if (!isChange(asked)) return undefined;
        changes += 1;
        return changes === moment + 1 ? { loseAnswer: true } : undefined;
      };
    },
  ],
];

const verbs: [string, (mirror: Store) => Promise<unknown>, string][] = [
  ["publish", (mirror) => publishVersion(mirror, versions[2]), versions[2]],
  ["promote", (mirror) => promote(mirror, "debian-12:candidate", { arch }), versions[1]],
  [
    "prune",
    async (mirror) => {
      await promote(mirror, "debian-12:candidate", { arch });
      await prune(mirror, { keep: 1, graceMs: 0, emit });
    },
    versions[1],
  ],
];

describe.each(faults)("%s at any change", (kind, ruleAt) => {
  test.each(verbs)(
    "of %s: readers have whole versions, and a rerun finishes",
    { timeout: 600_000 },
    async (_, work, after) => {
      let finished = false;
      const seen = new Set<string>();
      for (let moment = randomInt(stride); !finished; moment += stride) {
        const { store, faultyMirror, mirror, root, proxy } = await openMirrorOfTwo(s3);
        proxy.rule = ruleAt(moment);
        const before = proxy.asked.length;
        const outcome = await work(faultyMirror).then(
          () => "done",
          (error: unknown) => error,
        );
        if (outcome !== "done")
          expect(outcome).toMatchObject({ kind: expect.stringMatching(/configuration|failed|retry/) });
        if (kind === "an answer that is lost") expect(outcome).toBe("done");
        const changes = proxy.asked.slice(before).filter(isChange).length;
        finished = changes <= moment;
        expect(changes).toBeGreaterThan(0);
        const at = `after ${moment} changes of ${changes}`;
        seen.add(await readAll(store, root));
        proxy.rule = () => undefined;
        await work(mirror);
        expect(await readAll(store, root), at).toBe(after);
        expect(await verify(store, { root, emit }), at).toMatchObject({ ok: true });
      }
      expect(seen).toContain(after);
    },
  );
});

/** Nothing that was written since is in a list. */
const lagging: Rule = ({ action }) =>
  action === "ListObjectsV2"
    ? { rewrite: (body) => body.replaceAll(/<Contents>.*?<\/Contents>/gs, "").replace(/<KeyCount>\d+/, "<KeyCount>0") }
    : undefined;

describe("a list that lags behind", () => {
  test("a sync to it copies what is there once more, and loses nothing", async () => {
    const { store, root } = await openMirrorOfTwo(s3);
    const { store: target, faulty, proxy } = await s3.open();
    for (const rule of [() => undefined, lagging]) {
      proxy.rule = rule;
      await sync(store, faulty, { emit, retryDelayMs: 1, delete: true });
      expect(await readAll(target, root)).toBe(versions[0]);
      expect(await readAll(target, root, "candidate")).toBe(versions[1]);
    }
    expect(await verify(target, { root, emit })).toMatchObject({ ok: true });
  });

  test("a sync from it that deletes removes nothing that is listed", async () => {
    const { store, faulty, root, proxy } = await openMirrorOfTwo(s3);
    const { store: target } = await s3.open();
    await sync(store, target, { emit, retryDelayMs: 1 });
    proxy.rule = lagging;
    await sync(faulty, target, { emit, retryDelayMs: 1, delete: true }).catch((error: unknown) =>
      expect(error).toMatchObject({ code: "source-changed" }),
    );
    expect(await verify(target, { root, emit })).toMatchObject({ ok: true });
  });

  test("a prune removes what it sees, and the next one the rest", async () => {
    const { store, root, mirror, faultyMirror, proxy } = await openMirrorOfTwo(s3);
    await promote(mirror, "debian-12:candidate", { arch });
    proxy.rule = lagging;
    await prune(faultyMirror, { keep: 1, graceMs: 0, emit });
    expect(await readAll(store, root)).toBe(versions[1]);
    proxy.rule = () => undefined;
    await prune(faultyMirror, { keep: 1, graceMs: 0, emit });
    await prune(faultyMirror, { keep: 1, graceMs: 0, emit });
    expect(await problemsOf(store, root)).toEqual([]);
  });
});

describe("verify", () => {
  test("tells what came wrong on its way from what is damaged: 500 is worth another try", async () => {
    const { faulty, root, proxy } = await openMirrorOfTwo(s3);
    proxy.rule = ({ path, action }) =>
      path.endsWith(".zst") && action === "GetObject" ? { answer: { status: 500 } } : undefined;
    const verifying = verify(faulty, { root, emit, retryDelayMs: 1 });
    await expect(verifying).rejects.toMatchObject({ code: "store-unreachable", exitCode: 5 });
  });

  test("finds other content, and a body that is cut is read again", async () => {
    const { faulty, root, proxy } = await openMirrorOfTwo(s3);
    const key = `/${versions[0]}/image.tar.zst`;
    let cuts = 2;
    proxy.rule = ({ path, action }) => {
      if (!path.endsWith(key) || action !== "GetObject" || cuts === 0) return undefined;
      cuts -= 1;
      return { cutAfter: 500 };
    };
    expect(await verify(faulty, { root, emit })).toMatchObject({ ok: true });
    proxy.rule = ({ path, action }) => (path.endsWith(key) && action === "GetObject" ? { corruptAt: 500 } : undefined);
    expect(await problemsOf(faulty, root)).toEqual(["hash"]);
  });
});
