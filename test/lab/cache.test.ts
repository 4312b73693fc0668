import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { cached } from "./cache.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "metalcast-cache-"));
  vi.stubEnv("METALCAST_CACHE", directory);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(directory, { recursive: true });
});

test("builds once for the same inputs", async () => {
  const build = vi.fn((path: string) => writeFile(path, "built"));
  const first = await cached("root", { packages: ["tar"] }, build);
  const second = await cached("root", { packages: ["tar"] }, build);
  expect(second).toBe(first);
  expect(build).toHaveBeenCalledTimes(1);
  expect(await readFile(first, "utf8")).toBe("built");
});

test("whoever comes while it is being built waits for it", async () => {
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const build = vi.fn(async (path: string) => {
    begun.resolve();
    await go.promise;
    await writeFile(path, "built");
  });
  const first = cached("root", 1, build);
  await begun.promise;
  const second = cached("root", 1, build);
  go.resolve();
  expect(await second).toBe(await first);
  expect(build).toHaveBeenCalledTimes(1);
});

test("other inputs make another entry, and remove the older one of that name only", async () => {
  await cached("root", 1, (path) => writeFile(path, ""));
  const other = await cached("root-boot", 1, (path) => writeFile(path, ""));
  const newer = await cached("root", 2, (path) => writeFile(path, ""));
  expect((await readdir(directory)).map((entry) => join(directory, entry)).sort()).toEqual([other, newer].sort());
});

test("a build that fails leaves nothing, and is tried again", async () => {
  const broken = cached("root", 1, async (path) => {
    await writeFile(path, "half");
    throw new Error("no space left");
  });
  await expect(broken).rejects.toThrow("no space left");
  expect(await readdir(directory)).toEqual([]);
  expect(await readFile(await cached("root", 1, (path) => writeFile(path, "whole")), "utf8")).toBe("whole");
});

test("what a killed build left is removed, what a living one builds is not", async () => {
  const killed = "root.0123456789abcdef.4194305.partial";
  const living = `root.fedcba9876543210.${process.pid}.partial`;
  await writeFile(join(directory, killed), "");
  await writeFile(join(directory, living), "");
  await cached("root", 1, (path) => writeFile(path, ""));
  const entries = await readdir(directory);
  expect(entries).not.toContain(killed);
  expect(entries).toContain(living);
});
