import {
  chown,
  link,
  lutimes,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { pack } from "tar-stream";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { run } from "../../../common/run.ts";
import { copyTree, createWorkTree, unpackArchive } from "../../../factory/disk/work-tree.ts";
import { MountNamespace } from "../../../factory/namespace.ts";

let folder: string;
let source: string;
let namespace: MountNamespace;
let own: string;
let tree: string;

beforeAll(async () => {
  folder = await mkdtemp("/var/tmp/work-tree-");
  source = await makeTree(join(folder, "source"));
});
afterAll(() => rm(folder, { recursive: true }));

beforeEach(async () => {
  own = await mkdtemp(join(folder, "test-"));
  tree = join(own, "tree");
  await mkdir(tree);
  namespace = await MountNamespace.open();
});
/** Whatever happened, the mounts end with the namespace, and nothing lies around. */
afterEach(async () => {
  await namespace[Symbol.asyncDispose]();
  expect((await readdir(own)).filter((name) => name.includes("jail"))).toEqual([]);
  expect(await readdir(tree)).toEqual([]);
  const loops = await run("losetup", ["--list", "--noheadings", "--output", "BACK-FILE"], { doing: "listing loops" });
  expect(loops.stdout).not.toContain(folder);
});

const create = (mebibytes = 64) =>
  createWorkTree({ namespace, file: join(own, "work.ext4"), directory: tree, sizeBytes: mebibytes * 2 ** 20 });

/** All that a vendor's tree can have. */
async function makeTree(root: string): Promise<string> {
  const path = (...parts: string[]) => join(root, ...parts);
  await mkdir(path("usr/bin"), { recursive: true });
  await mkdir(path("a/b"), { recursive: true });
  await mkdir(path("lost+found"));
  await mkdir(path("a/lost+found"));
  await writeFile(path("usr/bin/ping"), "program", { mode: 0o755 });
  await writeFile(path("first"), "linked");
  await link(path("first"), path("a/zz-last"));
  await writeFile(path("a/b/-leading-dash"), "");
  await writeFile(path("a/b/new\nline"), "x");
  await writeFile(path("n".repeat(255)), "long");
  await writeFile(Buffer.concat([Buffer.from(root), Buffer.from("/not-utf8-\xff\xfe", "latin1")]), "bytes");
  await symlink("/etc/passwd", path("absolute"));
  await symlink("../../../../nowhere", path("a/above"));
  await run("mkfifo", [path("fifo")], { doing: "making a fifo" });
  await run("mknod", [path("device"), "c", "1", "3"], { doing: "making a device" });
  await using sparse = await open(path("sparse"), "w");
  await sparse.truncate(8 * 2 ** 20);
  await sparse.write("in the middle", 5 * 2 ** 20);
  await chown(path("usr/bin/ping"), 2 ** 21 + 5, 2 ** 31);
  await chown(path("a/b"), 1234, 5678);
  await run("chmod", ["4750", path("usr/bin/ping")], { doing: "setting modes" });
  await run("chmod", ["1777", path("a/b")], { doing: "setting modes" });
  await run("setcap", ["cap_net_raw+ep", path("usr/bin/ping")], { doing: "setting a capability" });
  const label = [
    "-n",
    "security.selinux",
    "-v",
    "system_u:object_r:bin_t:s0",
    path("usr/bin/ping"),
    path("a"),
    path("absolute"),
  ];
  await run("setfattr", ["-h", ...label], { doing: "setting a label" });
  await run("setfattr", ["-n", "user.binary", "-v", "0x00ff0a", path("first")], { doing: "setting an attribute" });
  await run("setfattr", ["-n", "user.large", "-v", "x".repeat(3000), path("first")], { doing: "setting an attribute" });
  await run("setfattr", ["-n", "trusted.x", "-v", "y", path("a/b")], { doing: "setting an attribute" });
  await run("setfacl", ["-m", "u:12345:rw", path("first")], { doing: "setting an ACL" });
  await run("setfacl", ["-d", "-m", "g:54321:rx", path("a")], { doing: "setting an ACL" });
  for (const name of ["first", "a/b", "a", "usr/bin"]) await utimes(path(name), 1_600_000_000, 1_600_000_000.25);
  await utimes(path("sparse"), 4_200_000_000, 4_200_000_000);
  await utimes(path("fifo"), 1, 2);
  await lutimes(path("absolute"), 5, 6);
  return root;
}

/** Everything that is to survive of every path, for comparison. How large and how linked a directory is, is its file system's affair. */
async function describeTree(root: string): Promise<string[]> {
  const prune = ["-name", "lost+found", "-prune", "-o"];
  const directories = ["-type", "d", "-printf", "%P %y %m %U %G %T@\\n", "-o"];
  const others = ["-printf", "%P %y %m %U %G %T@ %s %l %n\\n"];
  const listed = await run("find", [root, "-mindepth", "1", ...prune, ...directories, ...others], { doing: "listing" });
  const options = ["-R", "-h", "-d", "-e", "hex", "-m", "-", "."];
  const attributes = await run("getfattr", options, { doing: "listing", cwd: root });
  return [...listed.stdout.split("\n"), ...attributes.stdout.trim().split("\n\n")].sort();
}

describe("a copied tree", () => {
  it("has everything that the other has, of all file systems mounted there", async () => {
    const server = createServer().listen(join(source, "socket"));
    await create();
    const from = join(own, "from");
    await mkdir(from);
    await namespace.run("mount", ["--bind", source, from], { doing: "binding" });
    await namespace.mount({ source: "boot", directory: join(from, "usr"), type: "tmpfs" });
    const large = ["setfattr", "-n", "user.large", "-v", "y".repeat(20_000), `${from}/usr/vmlinuz`] as const;
    await namespace.run("sh", ["-c", `echo kernel >"${from}/usr/vmlinuz"; exec "$@"`, "sh", ...large], {
      doing: "filling",
    });
    await copyTree(namespace, from, tree);
    expect(await readFile(join(namespace.path(tree), "usr/vmlinuz"), "utf8")).toBe("kernel\n");
    const got = ["--only-values", "-n", "user.large", join(tree, "usr/vmlinuz")];
    expect(await namespace.run("getfattr", got, { doing: "reading" })).toMatchObject({ stdout: "y".repeat(20_000) });
    await namespace.unmount(join(from, "usr"));
    await new Promise((resolve) => server.close(resolve));
    await namespace.run("rm", ["-r", join(tree, "usr")], { doing: "making room" });
    await copyTree(namespace, from, tree);
    await namespace.run("umount", [from], { doing: "unbinding" });
    await namespace.run("rm", ["-f", join(tree, "socket")], { doing: "checking" });
    expect(await describeTree(namespace.path(tree))).toEqual(await describeTree(source));
    const compare = ["-r", "--no-dereference", "-x", "fifo", "-x", "device", "-x", "lost+found", source, tree];
    await namespace.run("diff", compare, { doing: "comparing" });
    const { stdout } = await namespace.run("du", ["-k", join(tree, "sparse")], { doing: "measuring" });
    expect(Number.parseInt(stdout, 10)).toBeLessThan(1024);
  });

  it("does not have its root's lost+found nor sockets", async () => {
    const server = createServer().listen(join(source, "socket"));
    await create();
    await copyTree(namespace, source, tree);
    await new Promise((resolve) => server.close(resolve));
    const names = await readdir(namespace.path(tree));
    expect(names).toContain("first");
    expect(names).not.toContain("lost+found");
    expect(names).not.toContain("socket");
  });

  it("that does not fit is told as such", async () => {
    await writeFile(join(own, "large"), Buffer.alloc(8 * 2 ** 20, 1));
    await create(4);
    const from = join(own, "from");
    await mkdir(from);
    await writeFile(join(from, "large"), Buffer.alloc(8 * 2 ** 20, 1));
    await expect(copyTree(namespace, from, tree)).rejects.toMatchObject({ code: "tree-full", kind: "failed" });
  });

  it("is no success where this machine's disk is full below the sparse file", async () => {
    const small = join(own, "small");
    await mkdir(small);
    await namespace.mount({ source: "small", directory: small, type: "tmpfs", options: ["size=4m"] });
    const file = namespace.path(join(small, "work.ext4"));
    await createWorkTree({ namespace, file, directory: tree, sizeBytes: 64 * 2 ** 20 });
    const from = join(own, "from");
    await mkdir(from);
    await writeFile(join(from, "large"), Buffer.alloc(8 * 2 ** 20, 1));
    await expect(copyTree(namespace, from, tree)).rejects.toMatchObject({ kind: "failed" });
  });

  it("ends at once when interrupted, with its processes", async () => {
    await create();
    const signal = AbortSignal.abort();
    await expect(copyTree(namespace, source, tree, { signal })).rejects.toMatchObject({ code: "interrupted" });
  });
});

type Member = Parameters<ReturnType<typeof pack>["entry"]>[0] & { content?: string };

function archiveOf(members: readonly Member[]): Readable {
  const archive = pack();
  for (const { content, ...header } of members) archive.entry(header, content ?? "");
  archive.finalize();
  return archive.pipe(new PassThrough());
}

describe("an archive", () => {
  it("is unpacked with all that tar keeps", async () => {
    await create();
    const keep = ["--xattrs", "--xattrs-include=*", "--acls", "--numeric-owner", "--sparse", "--format=posix"];
    const what = ["--exclude=lost+found", "."];
    await run("tar", ["-c", "-C", source, ...keep, ...what], {
      doing: "packing",
      consume: (bytes) => unpackArchive(namespace, bytes, tree),
    });
    expect(await describeTree(namespace.path(tree))).toEqual(await describeTree(source));
  });

  it.each<[string, Member[]]>([
    ["a name that leads above", [{ name: "../escaped", content: "x" }]],
    ["an absolute name", [{ name: "/escaped", content: "x" }]],
    [
      "a link above, and a file below it",
      [
        { name: "up", type: "symlink", linkname: ".." },
        { name: "up/escaped", content: "x" },
      ],
    ],
    [
      "an absolute link, and a file below it",
      [
        { name: "out", type: "symlink", linkname: "OUTSIDE" },
        { name: "out/escaped", content: "x" },
      ],
    ],
    [
      "links in steps, of which none leads out by itself",
      [
        { name: "a/b/c", type: "directory" },
        { name: "a/up", type: "symlink", linkname: "b/c/../../.." },
        { name: "a/up/up", type: "symlink", linkname: ".." },
        { name: "a/up/up/escaped", content: "x" },
      ],
    ],
    [
      "a hard link to a file outside, then written",
      [
        { name: "hard", type: "link", linkname: "OUTSIDE/victim" },
        { name: "hard", content: "overwritten" },
      ],
    ],
    [
      "a link to a file outside, then written through",
      [
        { name: "soft", type: "symlink", linkname: "OUTSIDE/victim" },
        { name: "soft", content: "overwritten" },
      ],
    ],
  ])("changes nothing outside the tree: %s", async (_, members) => {
    await create();
    const outside = join(own, "outside");
    await mkdir(outside);
    await writeFile(join(outside, "victim"), "untouched");
    const replaced = members.map((member) =>
      member.linkname ? { ...member, linkname: member.linkname.replace("OUTSIDE", outside) } : member,
    );
    const before = [await readdir(own), await readdir("/"), await readdir(outside)];
    await unpackArchive(namespace, archiveOf(replaced), tree).catch((error) =>
      expect(error).toMatchObject({ code: "command-failed" }),
    );
    expect([await readdir(own), await readdir("/"), await readdir(outside)]).toEqual(before);
    expect(await readFile(join(outside, "victim"), "utf8")).toBe("untouched");
  });

  it("that is no archive, or cut short, is a failure", async () => {
    await create();
    const garbage = Readable.from([Buffer.from("no archive".repeat(1000))]);
    await expect(unpackArchive(namespace, garbage, tree)).rejects.toMatchObject({ code: "command-failed" });
    const whole = await archiveOf([{ name: "file", content: "x".repeat(5000) }]).toArray();
    const short = Readable.from([Buffer.concat(whole).subarray(0, 3000)]);
    await expect(unpackArchive(namespace, short, tree)).rejects.toMatchObject({ code: "command-failed" });
  });

  it("that is larger than the work tree is told as such", async () => {
    await create(4);
    const archive = archiveOf([{ name: "large", content: "x".repeat(8 * 2 ** 20) }]);
    await expect(unpackArchive(namespace, archive, tree)).rejects.toMatchObject({ code: "tree-full" });
  });

  it("whose source fails is that source's failure", async () => {
    await create();
    const failing = async function* () {
      yield new Uint8Array(512);
      throw new Error("the source broke");
    };
    await expect(unpackArchive(namespace, failing(), tree)).rejects.toThrow("the source broke");
  });
});
