import { createHash } from "node:crypto";
import { chown, link, lutimes, mkdir, mkdtemp, open, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { zstdDecompress } from "node:zlib";
import { extract } from "tar-stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../common/run.ts";
import { pack } from "../../factory/pack.ts";

const latestTime = 1_700_000_000;
const shardBytes = 256 * 1024;
let folder: string;

/** Makes the same tree with the steps in any order: files, then what must come after them. */
async function makeTree(name: string, order: (steps: (() => Promise<unknown>)[]) => (() => Promise<unknown>)[]) {
  const root = join(folder, name);
  const path = (...parts: string[]) => join(root, ...parts);
  const bytes = (text: string) => Buffer.from(text, "latin1");
  await mkdir(path("usr/bin"), { recursive: true });
  await mkdir(path("a/b"), { recursive: true });
  const steps: (() => Promise<unknown>)[] = [
    () => writeFile(path("usr/bin/ping"), "program"),
    () => writeFile(path("first"), "linked"),
    () => writeFile(path("a/b/-leading-dash"), ""),
    () => writeFile(path("a/b/new\nline"), "x"),
    () => writeFile(path("n".repeat(255)), "long"),
    () => writeFile(Buffer.concat([bytes(root), bytes("/not-utf8-\xff\xfe")]), "bytes"),
    () => writeFile(path("ends-in-zeros"), Buffer.alloc(3 * 512)),
    () => symlink("nowhere", path("link")),
    () => run("mkfifo", [path("fifo")], { doing: "making a fifo" }),
    () => run("mknod", [path("device"), "c", "1", "3"], { doing: "making a device" }),
    () => writeSparse(path("sparse")),
    ...Array.from({ length: 12 }, (_, index) => () => writeFile(path(`a/data-${index}`), Buffer.alloc(100_000, index))),
  ];
  for (const step of order(steps)) await step();
  await link(path("first"), path("zz-last"));
  await chown(path("usr/bin/ping"), 2 ** 21 + 5, 2 ** 31);
  await run("setcap", ["cap_net_raw+ep", path("usr/bin/ping")], { doing: "setting a capability" });
  await run("setfattr", ["-n", "user.binary", "-v", "0x00ff0a", path("first")], { doing: "setting an attribute" });
  await run("setfacl", ["-m", "u:12345:rw", path("a/data-1")], { doing: "setting an ACL" });
  for (const file of ["first", "a/b", "a", "usr/bin", "usr"]) await utimes(path(file), 1_600_000_000, 1_600_000_000.25);
  await utimes(path("sparse"), 4_200_000_000, 1_500_000_000);
  await utimes(path("fifo"), 1, 2);
  await lutimes(path("link"), 5, 6);
  return root;
}

async function writeSparse(path: string): Promise<void> {
  await using file = await open(path, "w");
  await file.truncate(8 * 2 ** 20);
  await file.write(Buffer.from("in the middle"), 0, 13, 5 * 2 ** 20);
}

/** What tar is to keep of every path, for comparison. */
async function describeTree(root: string): Promise<string> {
  const format = "%P %y %m %U %G %s %l %n %Ts\\n";
  const found = await run("find", [root, "-printf", format], { doing: "listing", env: { LC_ALL: "C" } });
  const attributes = await run("getfattr", ["-R", "-h", "-d", "-m", "-", "."], { doing: "listing", cwd: root });
  const lines = found.stdout.replaceAll(/(\d+)$/gm, (time) => String(Math.min(Number(time), latestTime)));
  return [...lines.split("\n").sort(), ...attributes.stdout.split("\n\n").sort()].join("\n");
}

const packTree = (tree: string, name: string) =>
  pack({ tree, destination: join(folder, name), latestTime, shardBytes });

let tree: string;
beforeAll(async () => {
  folder = await mkdtemp("/var/tmp/pack-");
  tree = await makeTree("tree", (steps) => steps);
});
afterAll(() => rm(folder, { recursive: true }));

describe("a packed tree", () => {
  it("is unpacked by tar alone, with all that tar can keep", async () => {
    await packTree(tree, "plain.tar.zst");
    const target = join(folder, "unpacked");
    await mkdir(target);
    const options = ["--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls", "-p"];
    await run("tar", ["--zstd", "-xf", join(folder, "plain.tar.zst"), "-C", target, ...options], {
      doing: "unpacking",
    });
    expect(await describeTree(target)).toBe(await describeTree(tree));
    await run("diff", ["-r", "--no-dereference", "-x", "fifo", "-x", "device", tree, target], { doing: "comparing" });
    const { stdout } = await run("du", ["-k", join(target, "sparse")], { doing: "measuring" });
    expect(Number.parseInt(stdout, 10)).toBeLessThan(1024);
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
    const unpack = (input: Buffer) =>
      run("tar", ["-x", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls", "-p", "-C", target], {
        doing: "unpacking a shard",
        input,
      });
    const [first = Buffer.alloc(0), ...others] = plainShards;
    const last = others.pop() ?? Buffer.alloc(0);
    await unpack(first);
    await Promise.all(others.map(unpack));
    await unpack(last);
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
        expect(header.type === "directory").toBe(content === "directories");
        if (header.type === "link") expect(names).toContain(header.linkname);
        names.add(header.name);
        entry.resume();
      }
      expect(names.size).toBeGreaterThan(0);
    }
  });

  it("is the same for the same tree, made in another order", async () => {
    const other = await makeTree("other", (steps) => steps.toReversed());
    const first = await packTree(tree, "first.tar.zst");
    const second = await packTree(other, "second.tar.zst");
    expect(second).toEqual(first);
    expect(await readFile(join(folder, "second.tar.zst"))).toEqual(await readFile(join(folder, "first.tar.zst")));
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

  it("leaves nothing of a shard when it fails", async () => {
    const signal = AbortSignal.abort();
    const destination = join(folder, "aborted.tar.zst");
    await expect(pack({ tree, destination, latestTime, signal })).rejects.toThrow();
    await expect(readFile(`${destination}.shard`)).rejects.toMatchObject({ code: "ENOENT" });
  });
});
