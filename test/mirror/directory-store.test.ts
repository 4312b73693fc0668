import { mkdir, mkdtemp, readdir, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { run } from "../../common/run.ts";
import { DirectoryStore } from "../../mirror/directory-store.ts";
import { collect, gather } from "./gather.ts";
import { testStoreContract } from "./store-contract.ts";

const parent = await mkdtemp(join(tmpdir(), "directory-store-"));
afterAll(() => rm(parent, { recursive: true, force: true }));
const emptyDirectory = () => mkdtemp(join(parent, "store-"));

testStoreContract(
  async () => new DirectoryStore(await emptyDirectory()),
  async () => new DirectoryStore(join(parent, "missing")),
);

test("no link leads out of the store", async () => {
  const root = await emptyDirectory();
  const outside = await emptyDirectory();
  await writeFile(join(outside, "secret"), "secret");
  await symlink(outside, join(root, "images"));
  await symlink(join(outside, "secret"), join(root, "file"));
  const store = new DirectoryStore(root);
  const refused = { code: "store-denied" };
  await expect(collect(store.read("images/secret"))).rejects.toMatchObject(refused);
  await expect(store.write("images/new", Buffer.from("x"))).rejects.toMatchObject(refused);
  await expect(store.write("images/deep/new", Buffer.from("x"))).rejects.toMatchObject(refused);
  await expect(store.remove("images/secret")).rejects.toMatchObject(refused);
  await expect(collect(store.read("file"))).rejects.toMatchObject({ code: "object-missing" });
  expect(await store.stat("file")).toBeUndefined();
  expect(await gather(store.list(""))).toEqual([]);
  expect(await readdir(outside)).toEqual(["secret"]);
});

test("a link within the store is followed", async () => {
  const root = await emptyDirectory();
  await mkdir(join(root, "disk"));
  await symlink("disk", join(root, "images"));
  const store = new DirectoryStore(root);
  await store.write("images/a", Buffer.from("x"), { ifAbsent: true });
  expect((await collect(store.read("disk/a"))).toString()).toBe("x");
});

test("a replaced object has a later modification time, however fast the writes and whatever the clock", async () => {
  const root = await emptyDirectory();
  const store = new DirectoryStore(root);
  await store.write("object", Buffer.from("1"));
  const tomorrow = new Date(Date.now() + 86_400_000);
  await utimes(join(root, "object"), tomorrow, tomorrow);
  await store.write("object", Buffer.from("2"));
  expect((await stat(join(root, "object"))).mtimeMs).toBeGreaterThan(tomorrow.getTime());
});

test("failed writes leave no unfinished file behind", async () => {
  const root = await emptyDirectory();
  const store = new DirectoryStore(root);
  await store.write("object", Buffer.from("x"));
  await expect(store.write("object", Buffer.from("y"), { ifAbsent: true })).rejects.toThrow();
  await expect(store.write("object", Buffer.from("y"), { ifMatch: "z" })).rejects.toThrow();
  expect(await readdir(join(root, ".metalcast"))).toEqual(["lock"]);
});

test("a full and a read-only file system are told by name", async () => {
  const root = await emptyDirectory();
  const doing = "preparing a small file system";
  await run("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", root], { doing });
  try {
    const store = new DirectoryStore(root);
    await store.write("before", Buffer.from("x"));
    const tooLarge = store.write("object", Buffer.alloc(2 ** 21));
    await expect(tooLarge).rejects.toMatchObject({ code: "store-full", kind: "configuration" });
    expect((await gather(store.list(""))).map(({ key }) => key)).toEqual(["before"]);
    await run("mount", ["-o", "remount,ro", root], { doing });
    await expect(store.write("object", Buffer.from("x"))).rejects.toMatchObject({ code: "store-denied" });
    await expect(store.remove("before")).rejects.toMatchObject({ code: "store-denied" });
  } finally {
    await run("umount", [root], { doing });
  }
});
