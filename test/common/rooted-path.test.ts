import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { resolveInRoot } from "../../common/rooted-path.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "root-"));
  await mkdir(join(root, "usr/lib"), { recursive: true });
});
afterEach(() => rm(root, { recursive: true }));

test.each([
  ["plain", "/usr/lib/os-release", "usr/lib/os-release"],
  ["missing", "/no/such/file", "no/such/file"],
  ["dots", "/usr/../../../etc/passwd", "etc/passwd"],
])("%s", async (_name, path, expected) => {
  expect(await resolveInRoot(root, path, "follow")).toBe(join(root, expected));
});

test("an absolute link leads to the tree's own root", async () => {
  await symlink("/etc", join(root, "config"));
  expect(await resolveInRoot(root, "/config/shadow", "follow")).toBe(join(root, "etc/shadow"));
});

test("a relative link cannot climb out", async () => {
  await symlink("../../../../../../etc", join(root, "usr/config"));
  expect(await resolveInRoot(root, "/usr/config/shadow", "follow")).toBe(join(root, "etc/shadow"));
});

test("a last link is followed by who reads, and kept by who writes", async () => {
  await symlink("/etc/shadow", join(root, "file"));
  expect(await resolveInRoot(root, "/file", "keep")).toBe(join(root, "file"));
  expect(await resolveInRoot(root, "/file", "follow")).toBe(join(root, "etc/shadow"));
});

test("a loop is refused", async () => {
  await symlink("b", join(root, "a"));
  await symlink("a", join(root, "b"));
  await expect(resolveInRoot(root, "/a/x", "follow")).rejects.toMatchObject({ code: "link-loop" });
});
