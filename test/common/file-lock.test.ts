import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { expect, test, vi } from "vitest";
import { Failure } from "../../common/failure.ts";
import { withLock } from "../../common/file-lock.ts";
import { temporaryDirectory } from "../mirror/sample-image.ts";

const ifHeld = () => new Failure({ code: "held", kind: "retry", message: "held" });
const script = fileURLToPath(new URL("./hold-lock-until-killed.ts", import.meta.url));

/** Another process that holds the lock, in a process group of its own, as a shell starts it. */
async function holdElsewhere(path: string) {
  const child = execa(process.execPath, [script, path], { detached: true, reject: false });
  const lines = createInterface(child.stdout);
  const [line] = await once(lines, "line");
  expect(line).toBe("locked");
  return { child, lines, pid: child.pid ?? expect.unreachable() };
}

test("one after the other, or not at all", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "lock");
  const order: string[] = [];
  const holding = Promise.withResolvers<void>();
  const first = withLock(path, async () => {
    holding.resolve();
    await expect(withLock(path, expect.unreachable, { ifHeld })).rejects.toMatchObject({ code: "held" });
    order.push("first");
  });
  await holding.promise;
  const second = withLock(path, async () => order.push("second"));
  await Promise.all([first, second]);
  expect(order).toEqual(["first", "second"]);
  expect(await withLock(path, async () => "free", { ifHeld })).toBe("free");
});

test("what the work throws is thrown, and the lock is free", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "lock");
  await expect(withLock(path, () => Promise.reject(new Error("no")), { ifHeld })).rejects.toThrow("no");
  expect(await withLock(path, async () => "free", { ifHeld })).toBe("free");
});

test("without the lock nothing is done", async () => {
  await using directory = await temporaryDirectory();
  const work = vi.fn(async () => {});
  await expect(withLock(join(directory.path, "missing/lock"), work)).rejects.toMatchObject({ code: "command-failed" });
  expect(work).not.toHaveBeenCalled();
});

test("a holder that is killed holds nothing any more", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "lock");
  const { child, pid } = await holdElsewhere(path);
  await expect(withLock(path, expect.unreachable, { ifHeld })).rejects.toMatchObject({ code: "held" });
  process.kill(pid, "SIGKILL");
  await child;
  expect(await withLock(path, async () => "free")).toBe("free");
});

test("an abort ends the wait for the lock, and takes it from no work", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "lock");
  const controller = new AbortController();
  const { signal } = controller;
  await withLock(
    path,
    async () => {
      const waiting = withLock(path, expect.unreachable, { signal });
      controller.abort();
      await expect(waiting).rejects.toMatchObject({ code: "interrupted" });
      await expect(withLock(path, expect.unreachable, { ifHeld })).rejects.toMatchObject({ code: "held" });
    },
    { signal },
  );
  await expect(withLock(path, expect.unreachable, { signal })).rejects.toMatchObject({ code: "interrupted" });
  expect(await withLock(path, async () => "free")).toBe("free");
});

test("a Ctrl-C at the terminal does not take the lock from work that is coming to its end", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "lock");
  const { child, lines, pid } = await holdElsewhere(path);
  process.kill(-pid, "SIGINT");
  expect(await once(lines, "line")).toEqual(["interrupted"]);
  await expect(withLock(path, expect.unreachable, { ifHeld })).rejects.toMatchObject({ code: "held" });
  child.stdin.end();
  expect((await child).exitCode).toBe(0);
});
