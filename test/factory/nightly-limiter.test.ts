import { expect, test } from "vitest";
import { createLimiter } from "../../factory/nightly/limiter.ts";

test("a limiter lets nobody in who comes while a place is handed over", async () => {
  const limit = createLimiter(1);
  let running = 0;
  const work = async () => {
    running += 1;
    expect(running).toBe(1);
    await Promise.resolve();
    running -= 1;
  };
  const comeAfter = async (turns: number) => {
    for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
    await limit(work);
  };
  // Whoever comes in any turn of the event loop's queue, also in the one between two places.
  for (let turns = 0; turns < 12; turns += 1) await Promise.all([limit(work), limit(work), comeAfter(turns)]);
  await expect(limit(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
  await limit(work);
});
