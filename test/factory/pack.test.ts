import { createHash } from "node:crypto";
import { chmodSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { link, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { zstdDecompress } from "node:zlib";
import { extract } from "tar-stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../common/run.ts";
import { pack } from "../../factory/pack.ts";
import { compareTrees, describeTree, latestTime, makeRichTree } from "./rich-tree.ts";

const shardBytes = 256 * 1024;
let folder: string;

const unpack = (archive: string, target: string) =>
  run(
    "tar",
    ["--zstd", "-xf", archive, "-C", target, "--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls", "-p"],
    { doing: "unpacking" },
  );

const packTree = (tree: string, name: string) =>
  pack({ tree, destination: join(folder, name), latestTime, shardBytes });

let tree: string;
beforeAll(async () => {
  folder = await mkdtemp("/var/tmp/pack-");
  tree = join(folder, "tree");
  await makeRichTree(tree);
});
afterAll(() => rm(folder, { recursive: true }));

describe("a packed tree", () => {
  it("is unpacked by tar alone, with all that tar can keep", async () => {
    await packTree(tree, "plain.tar.zst");
    const target = join(folder, "unpacked");
    await mkdir(target);
    await unpack(join(folder, "plain.tar.zst"), target);
    expect(await describeTree(target)).toBe(await describeTree(tree));
    await compareTrees(target, tree);
    const { stdout } = await run("du", ["-k", join(target, "sparse")], { doing: "measuring" });
    expect(Number.parseInt(stdout, 10)).toBeLessThan(1024);
  });

  it("has no link between what can be file systems of their own, and keeps all others", async () => {
    const divided = join(folder, "divided");
    for (const name of ["boot", "usr/lib/modules", "usr/bin"]) await mkdir(join(divided, name), { recursive: true });
    const kernel = join(divided, "boot/config");
    await writeFile(kernel, "CONFIG=y\n".repeat(100));
    for (const name of ["boot/config.old", "usr/lib/modules/config", "usr/bin/config", "config"]) {
      await link(kernel, join(divided, name));
    }
    const { shards, unpackedBytes } = await packTree(divided, "divided.tar.zst");
    expect(shards.map(({ content }) => content)).toEqual(["directories", "files", "files", "files", "directories"]);
    const target = join(folder, "united");
    await mkdir(target);
    await unpack(join(folder, "divided.tar.zst"), target);
    const inode = async (name: string) => (await stat(join(target, name))).ino;
    expect(await inode("boot/config")).toBe(await inode("boot/config.old"));
    expect(await inode("usr/bin/config")).toBe(await inode("usr/lib/modules/config"));
    const files = await Promise.all(["boot/config", "usr/bin/config", "config"].map(inode));
    expect(new Set(files).size).toBe(3);
    expect(await readFile(join(target, "config"), "utf8")).toBe(await readFile(kernel, "utf8"));
    // Three files of one block, five directories, and a block beside each.
    expect(unpackedBytes).toBeGreaterThanOrEqual(3 * 2 * 4096);
  });

  it("has frames that are verified and decompressed one by one, in shards that unpack side by side", async () => {
    const { frames, shards, sizeBytes, sha256 } = await packTree(tree, "frames.tar.zst");
    const archive = await readFile(join(folder, "frames.tar.zst"));
    expect(archive.length).toBe(sizeBytes);
    expect(createHash("sha256").update(archive).digest("hex")).toBe(sha256);
    expect(shards.map(({ content }) => content)).toEqual([
      "directories",
      ...shards.slice(2).map(() => "files"),
      "directories",
    ]);
    expect(shards.length).toBeGreaterThan(5);

    const target = join(folder, "sharded");
    await mkdir(target);
    let offset = 0;
    const plainShards: Buffer[] = [];
    for (const { firstFrame, frameCount, plainBytes } of shards) {
      const plain: Buffer[] = [];
      for (const frame of frames.slice(firstFrame, firstFrame + frameCount)) {
        expect(frame.offset).toBe(offset);
        offset += frame.sizeBytes;
        const bytes = archive.subarray(frame.offset, offset);
        expect(createHash("sha256").update(bytes).digest("hex")).toBe(frame.sha256);
        plain.push(await promisify(zstdDecompress)(bytes));
        expect(plain.at(-1)?.length).toBe(frame.plainBytes);
      }
      plainShards.push(Buffer.concat(plain));
      expect(plainShards.at(-1)?.length).toBe(plainBytes);
    }
    expect(offset).toBe(sizeBytes);
    const unpackShard = (input: Buffer) =>
      run("tar", ["-x", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls", "-p", "-C", target], {
        doing: "unpacking a shard",
        input,
      });
    const [first = Buffer.alloc(0), ...others] = plainShards;
    const last = others.pop() ?? Buffer.alloc(0);
    await unpackShard(first);
    await Promise.all(others.map(unpackShard));
    await unpackShard(last);
    expect(await describeTree(target)).toBe(await describeTree(tree));
  });

  it("keeps directories to their own shards, and hard links beside what they link to", async () => {
    const { frames, shards } = await packTree(tree, "members.tar.zst");
    const archive = await readFile(join(folder, "members.tar.zst"));
    for (const { content, firstFrame, frameCount } of shards) {
      const [first, last] = [frames[firstFrame], frames[firstFrame + frameCount - 1]];
      const packed = archive.subarray(first?.offset, (last?.offset ?? 0) + (last?.sizeBytes ?? 0));
      const members = extract();
      Readable.from([await promisify(zstdDecompress)(packed)]).pipe(members);
      const names = new Set<string>();
      for await (const entry of members) {
        const { header } = entry;
        const isFarLink = header.type === "symlink" && /^\/|^\.\.\//.test(header.linkname ?? "");
        expect(header.type === "directory" || isFarLink).toBe(content === "directories");
        if (header.type === "link") expect(names).toContain(header.linkname);
        names.add(header.name);
        entry.resume();
      }
      expect(names.size).toBeGreaterThan(0);
    }
  });

  it("keeps modification times of any century, if told so", async () => {
    const archive = join(folder, "times.tar.zst");
    await pack({ tree, destination: archive, latestTime: 2 ** 33, shardBytes });
    const target = join(folder, "times");
    await mkdir(target);
    await unpack(archive, target);
    expect((await stat(join(target, "usr/bin/sudo"))).mtimeMs).toBe(4_200_000_000_500);
    expect(await describeTree(target, 2 ** 33)).toBe(await describeTree(tree, 2 ** 33));
  });

  it.each(["/var/tmp", "/dev/shm"])(
    "is the same for the same tree, made in another order, later, in %s",
    async (place) => {
      await using elsewhere = await temporaryDirectoryIn(place);
      const other = join(elsewhere.path, "other");
      await makeRichTree(other, (steps) => steps.toReversed());
      const [first, second] = [join(elsewhere.path, "first.tar.zst"), join(elsewhere.path, "second.tar.zst")];
      const expected = await pack({ tree, destination: first, latestTime, shardBytes });
      const found = await pack({ tree: other, destination: second, latestTime, shardBytes });
      expect(found).toEqual(expected);
      expect((await readFile(second)).equals(await readFile(first))).toBe(true);
    },
  );

  it("is the same whatever else the machine is doing, from a tree of many shards", async () => {
    const packings = Array.from({ length: 3 }, (_, index) =>
      pack({ tree, destination: join(folder, `many-${index}.tar.zst`), latestTime, shardBytes: 1 }),
    );
    const [first, ...others] = await Promise.all(packings);
    expect(first?.shards.length).toBeGreaterThan(20);
    for (const other of others) expect(other).toEqual(first);
  });

  it("leaves out sockets and the file system's own lost+found", async () => {
    const root = join(folder, "odd");
    await mkdir(join(root, "lost+found"), { recursive: true });
    await mkdir(join(root, "home/lost+found"), { recursive: true });
    const server = createServer().listen(join(root, "socket"));
    const { shards } = await packTree(root, "odd.tar.zst");
    server.close();
    expect(shards).toHaveLength(2);
    const { stdout } = await run("tar", ["--zstd", "-tf", join(folder, "odd.tar.zst")], { doing: "listing" });
    const names = ["./", "./home/", "./home/lost+found/"];
    expect(stdout.trim().split("\n")).toEqual([...names, ...names]);
  });

  it("is refused where a file can't be read", async () => {
    // Root may read any file but those that the kernel itself lets be written only, such as drop_caches.
    const packing = pack({ tree: "/proc/sys/vm", destination: join(folder, "unreadable"), latestTime });
    await expect(packing).rejects.toMatchObject({
      code: "command-failed",
      kind: "failed",
      message: expect.stringMatching(/packing .* of \/proc\/sys\/vm: .*Permission denied/),
    });
  });

  it.each([
    ["is cut", (root: string) => truncateSync(join(root, "a-large"), 2 ** 20)],
    ["gets another mode", (root: string) => chmodSync(join(root, "a-large"), 0o600)],
    ["is removed", (root: string) => rmSync(join(root, "a-large"))],
    ["comes", (root: string) => writeFileSync(join(root, "a-late"), "")],
  ])("is refused where a file %s meanwhile", async (name, change) => {
    const root = join(folder, `changing-${name}`);
    await mkdir(root);
    await writeFile(join(root, "a-large"), Buffer.alloc(12 * 2 ** 20));
    let changed = false;
    const advance = () => {
      if (!changed) change(root);
      changed = true;
    };
    const packing = pack({ tree: root, destination: join(folder, `${name}.tar.zst`), latestTime, advance });
    await expect(packing).rejects.toMatchObject({
      code: expect.stringMatching(/tree-changed|command-failed/),
      kind: "failed",
      message: expect.stringMatching(/a-large|a-late|""/),
    });
  });

  it("ends with its signal, and so do its processes", async () => {
    const interrupt = new AbortController();
    const packing = pack({
      tree,
      destination: join(folder, "aborted.tar.zst"),
      latestTime,
      shardBytes: 1,
      signal: interrupt.signal,
      advance: () => interrupt.abort(),
    });
    await expect(packing).rejects.toMatchObject({ code: "interrupted", kind: "interrupted" });
    const { stdout } = await run("ps", ["-eo", "args"], { doing: "listing processes" });
    expect(stdout).not.toContain(`--directory=${tree} `);
  });
});

async function temporaryDirectoryIn(place: string): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(place, "pack-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
