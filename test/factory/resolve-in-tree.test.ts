import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resolveInTree } from "../../factory/resolve-in-tree.ts";

let tree: string;
beforeAll(async () => {
  tree = await mkdtemp(join(tmpdir(), "tree-"));
  await mkdir(join(tree, "usr/lib"), { recursive: true });
  await writeFile(join(tree, "usr/lib/os-release"), "ID=debian\n");
  await symlink("usr/lib", join(tree, "lib"));
  await symlink("/usr/lib/os-release", join(tree, "absolute"));
  await symlink("../../../../../etc/passwd", join(tree, "usr/escape"));
  await symlink("/etc", join(tree, "etc"));
  await symlink("loop", join(tree, "loop"));
});
afterAll(() => rm(tree, { recursive: true }));

describe("a path in a foreign tree", () => {
  it.each([
    ["lib/os-release", "usr/lib/os-release"],
    ["absolute", "usr/lib/os-release"],
    ["usr/escape", "etc/passwd"],
    ["../../usr/./lib", "usr/lib"],
    ["boot/vmlinuz-1", "boot/vmlinuz-1"],
  ])("stays in the tree: %s", async (path, resolved) => {
    if (path === "usr/escape") await rm(join(tree, "etc"));
    expect(await resolveInTree(tree, path)).toBe(join(tree, resolved));
  });

  it("ends where links do not", async () => {
    await expect(resolveInTree(tree, "loop/more")).rejects.toMatchObject({ code: "links-endless" });
  });
});
