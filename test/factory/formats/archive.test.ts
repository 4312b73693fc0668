import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Failure } from "../../../common/failure.ts";
import { run } from "../../../common/run.ts";
import { readArchive } from "../../../factory/formats/read-archive.ts";
import { TarScanner } from "../../../factory/formats/tar/scanner.ts";
import { TreeRules } from "../../../factory/formats/tree-rules.ts";
import type { ArchiveFormat } from "../../../factory/image-format.ts";
import { writeBytes } from "./images.ts";
import { type Entry, makeTar } from "./make-tar.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "archive-"));
});
afterAll(() => rm(directory, { recursive: true }));

const file = (name: string): Entry => ({ name });
const link = (name: string, linkname: string): Entry => ({ name, type: "link", linkname });
const symlink = (name: string, linkname: string): Entry => ({ name, type: "symlink", linkname });
const folder = (name: string): Entry => ({ name, type: "directory" });
const passwd = file("etc/passwd");

const tarOf = (entries: Entry[]) =>
  makeTar(entries.map((entry) => [entry, entry.type === undefined ? `text of ${entry.name}` : ""] as const));

/** A header that no library writes. */
function makeHeader(
  type: string,
  name: string,
  sizeBytes: number,
  edit: (block: Buffer) => unknown = () => {},
): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0, 100, "latin1");
  block.write("0000644\x000000000\x000000000\0", 100);
  block.write(`${sizeBytes.toString(8).padStart(11, "0")}\0`, 124);
  block.write("00000000000\0", 136);
  block.write(type, 156, "latin1");
  block.write("ustar\x0000", 257);
  edit(block);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}
const makeMember = (
  type: string,
  name: string,
  content: string | Buffer,
  edit?: (block: Buffer) => unknown,
): Buffer => {
  const bytes = Buffer.from(content);
  return Buffer.concat([
    makeHeader(type, name, bytes.length, edit),
    bytes,
    Buffer.alloc((512 - (bytes.length % 512)) % 512),
  ]);
};
const record = (key: string, value: string) => {
  let length = key.length + value.length + 3;
  while (`${length}`.length + key.length + value.length + 3 !== length) length += 1;
  return `${length} ${key}=${value}\n`;
};
const end = Buffer.alloc(1024);

let count = 0;
async function read(bytes: Buffer, format: ArchiveFormat = "tar"): Promise<Buffer> {
  count += 1;
  const path = await writeBytes(join(directory, `${count}.${format}`), bytes);
  const chunks: Uint8Array[] = [];
  for await (const chunk of readArchive(path, format, { maximumBytes: 2 ** 24 })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe("an archive is passed on as it is", () => {
  let tree: string;
  beforeAll(async () => {
    tree = join(directory, "tree");
    const deep = join(tree, "usr", "share", "d".repeat(200), "e".repeat(100));
    await mkdir(deep, { recursive: true });
    await writeFile(join(deep, "f".repeat(255)), "deep");
    await writeFile(join(tree, "sparse"), "end", { flag: "a" });
    await run("truncate", ["-s", "3M", join(tree, "sparse")], { doing: "making a hole" });
    for (let index = 0; index < 40; index += 1) {
      await run(
        "dd",
        ["if=/dev/urandom", `of=${tree}/sparse`, "bs=4k", "count=1", `seek=${index * 16}`, "conv=notrunc"],
        {
          doing: "writing between holes",
        },
      );
    }
    await writeFile(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xff, 0xfe])]), "no UTF-8");
    for (const args of [
      ["ln", join(tree, "sparse"), join(tree, "hard")],
      ["ln", "-s", "../../../etc/shadow", join(tree, "usr", "out")],
      ["ln", "-s", "/absolute", join(tree, "usr", "absolute")],
      ["mknod", join(tree, "null"), "c", "1", "3"],
      ["mkfifo", join(tree, "fifo")],
      ["setfattr", "-n", "user.binary", "-v", "0x00ff0aff", join(tree, "sparse")],
    ]) {
      const [program = "", ...rest] = args;
      await run(program, rest, { doing: "making a tree" });
    }
  });

  test.for([
    ["posix", "--format=posix", "--xattrs"],
    ["posix, sparse", "--format=posix", "--sparse"],
    ["posix, sparse 0.1", "--format=posix", "--sparse", "--sparse-version=0.1"],
    ["gnu", "--format=gnu"],
    ["gnu, sparse", "--format=gnu", "--sparse"],
    ["gnu, with other blocks", "--format=gnu", "--blocking-factor=1"],
    ["gnu, with a leading dot", "--format=gnu", "--owner=2100000", "--mtime=@99999999999"],
  ])("GNU tar's: %s", async ([name = "", ...options]) => {
    const path = join(directory, `gnu-${name.replaceAll(/\W+/g, "-")}.tar`);
    await run("tar", ["-cf", path, ...options, "-C", tree, "."], { doing: "archiving" });
    const bytes = await readFile(path);
    expect((await read(bytes)).equals(bytes)).toBe(true);
    expect((await read(gzipSync(bytes), "tar.gz")).equals(bytes)).toBe(true);
    const frames = [bytes.subarray(0, 1000), bytes.subarray(1000)].map((part) => zstdCompressSync(part));
    expect((await read(Buffer.concat(frames), "tar.zst")).equals(bytes)).toBe(true);
  });

  test("in chunks of any size", async () => {
    const bytes = await tarOf([folder("etc"), passwd, file("n".repeat(300)), symlink("usr/l", "/etc")]);
    const whole: string[] = [];
    const scan = (names: string[]) =>
      new TarScanner(
        (reason) => new Error(reason),
        ({ name }) => names.push(name),
      );
    const reference = scan(whole);
    reference.push(bytes);
    reference.end();
    expect(whole).toHaveLength(4);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1 }), (sizes) => {
        const names: string[] = [];
        const scanner = scan(names);
        for (let start = 0, turn = 0; start < bytes.length; turn += 1) {
          const size = sizes[turn % sizes.length] ?? 1;
          scanner.push(bytes.subarray(start, start + size));
          start += size;
        }
        scanner.end();
        expect(names).toEqual(whole);
      }),
    );
  });
});

describe("an archive is refused", () => {
  test.for<[string, string, Entry[]]>([
    ["with an absolute name", "archive-escape", [passwd, file("/etc/cron.d/x")]],
    ["with .. in a name", "archive-escape", [passwd, file("etc/../../x")]],
    ["with .. at the end of a name", "archive-escape", [passwd, folder("etc/..")]],
    ["with a hard link to an absolute name", "archive-escape", [passwd, link("x", "/etc/shadow")]],
    ["with a hard link that leads out", "archive-escape", [passwd, link("etc/x", "../../etc/shadow")]],
    ["that writes through a symbolic link", "archive-escape", [passwd, symlink("x", "/etc"), file("x/cron.d/y")]],
    ["that writes through a link inside", "archive-escape", [passwd, symlink("x", "etc"), file("./x//y")]],
    [
      "that writes through a link of a link",
      "archive-escape",
      [passwd, symlink("a", "b"), symlink("a/b", "/"), passwd],
    ],
    ["that puts a folder in place of a link", "archive-escape", [passwd, symlink("x", "/"), folder("x"), file("x/y")]],
    [
      "with a hard link through a symbolic link",
      "archive-escape",
      [passwd, symlink("x", "/etc"), link("y", "x/shadow")],
    ],
    ["whose root is a symbolic link", "archive-escape", [passwd, symlink("./", "/etc")]],
    ["of a container's layer", "archive-layer", [passwd, file("etc/.wh.shadow")]],
    ["of an opaque layer", "archive-layer", [passwd, file("etc/.wh..wh..opq")]],
    ["of something else", "archive-not-root", [file("README"), file("src/etc/x")]],
  ])("%s", async ([, code, entries]) => {
    await expect(read(await tarOf(entries))).rejects.toMatchObject({ code, kind: "integrity" });
  });

  const good = makeMember("0", "etc/passwd", "root");
  test.for<[string, string, Buffer[]]>([
    ["of no members", "archive-not-root", [makeMember("5", "./", ""), end]],
    [
      "with an absolute name in a pax record",
      "archive-escape",
      [makeMember("x", "p", record("path", "/x")), good, end],
    ],
    [
      "with a GNU long name that leads out",
      "archive-escape",
      [makeMember("L", "l", `${"a/".repeat(80)}../..\0`), good, end],
    ],
    [
      "with a long name of a megabyte of zeros",
      "archive-invalid",
      [makeMember("L", "l", Buffer.concat([Buffer.alloc(2 ** 20 - 1), Buffer.from("x")])), good, end],
    ],
    [
      "with a name longer than any path",
      "archive-member-unknown",
      [makeMember("L", "l", `${"a/".repeat(3000)}a\0`), good, end],
    ],
    [
      "with a sparse file's name that leads out",
      "archive-escape",
      [makeMember("x", "p", record("GNU.sparse.name", "../x")), good, end],
    ],
    [
      "with a pax and a GNU name",
      "archive-invalid",
      [makeMember("x", "p", record("path", "a")), makeMember("L", "l", "b"), good, end],
    ],
    [
      "with two pax headers",
      "archive-invalid",
      [makeMember("x", "p", record("path", "a")), makeMember("x", "p", record("path", "b")), good, end],
    ],
    ["with two paths", "archive-invalid", [makeMember("x", "p", record("path", "a") + record("path", "b")), good, end]],
    ["with a NUL in a path", "archive-invalid", [makeMember("x", "p", record("path", "a\0/../b")), good, end]],
    ["with a path for all", "archive-invalid", [makeMember("g", "p", record("path", "/x")), good, end]],
    ["with a size for all", "archive-invalid", [makeMember("g", "p", record("size", "0")), good, end]],
    ["with a malformed record", "archive-invalid", [makeMember("x", "p", "99 path=x\n"), good, end]],
    ["with a record without an end", "archive-invalid", [makeMember("x", "p", record("path", "a")), end]],
    ["with a record of 2 MiB", "archive-invalid", [makeMember("x", "p", Buffer.alloc(2 ** 21)), good, end]],
    [
      "with an endless size",
      "archive-invalid",
      [makeMember("x", "p", record("size", "99999999999999999999")), good, end],
    ],
    ["with a link that has data", "archive-invalid", [good, makeMember("1", "x", "data"), end]],
    ["with a folder that has data", "archive-invalid", [good, makeMember("5", "x", "data"), end]],
    ["of a volume", "archive-member-unknown", [good, makeMember("M", "x", "data"), end]],
    ["with names for later", "archive-member-unknown", [good, makeMember("N", "x", "data"), end]],
    ["with a single block of zeros inside", "archive-invalid", [good, Buffer.alloc(512), good, end]],
    ["with something behind its end", "archive-invalid", [good, end, good, end]],
    ["with a wrong checksum", "archive-invalid", [makeHeader("0", "etc", 0).fill("x", 1, 2), end]],
    ["of an old tar", "archive-invalid", [good, makeMember("0", "x", "", (block) => block.fill(0, 257, 265)), end]],
    [
      "with a number that is none",
      "archive-invalid",
      [good, makeMember("0", "x", "", (block) => block.write("12x4", 124)), end],
    ],
    [
      "with a negative size",
      "archive-invalid",
      [good, makeMember("0", "x", "", (block) => block.fill(0xff, 124, 136)), end],
    ],
    ["without an end", "archive-invalid", [good]],
    ["with half an end", "archive-invalid", [good, Buffer.alloc(512)]],
    ["cut in a header", "archive-invalid", [good, good.subarray(0, 300)]],
    ["cut in a file", "archive-invalid", [good, makeHeader("0", "x", 5000), Buffer.alloc(512, "x")]],
    ["with a member without a name", "archive-escape", [good, makeMember("0", "", ""), end]],
  ])("%s", async ([, code, blocks]) => {
    await expect(read(Buffer.concat(blocks))).rejects.toMatchObject({ code, kind: "integrity" });
  });

  test("that is compressed and cut, or goes on for ever", async () => {
    const bytes = Buffer.concat([good, end]);
    await expect(read(gzipSync(bytes).subarray(0, -9), "tar.gz")).rejects.toMatchObject({ code: "image-truncated" });
    await expect(read(zstdCompressSync(bytes).subarray(0, -1), "tar.zst")).rejects.toMatchObject({
      code: "image-truncated",
    });
    const endless = Buffer.concat([good, end, Buffer.alloc(2 ** 24)]);
    await expect(read(gzipSync(endless), "tar.gz")).rejects.toMatchObject({ code: "image-too-large" });
  });
});

test("an archive may not have links without end", () => {
  const rules = new TreeRules();
  const check = (index: number) =>
    rules.check({ type: "2", name: `${index}`.padEnd(4000, "a"), linkName: "b", sizeBytes: 0 });
  const objections = Array.from({ length: 2 ** 15 }, (_, index) => check(index));
  expect(objections.slice(0, 2 ** 13)).toEqual(Array(2 ** 13).fill(undefined));
  expect(objections.at(-1)).toMatchObject({ code: "archive-too-large" });
});

test("none of a member that is refused reaches the program that unpacks", async () => {
  const bytes = Buffer.concat([
    makeMember("0", "etc/passwd", Buffer.alloc(2 ** 20)),
    makeMember("0", "../x", "bad"),
    end,
  ]);
  const path = await writeBytes(join(directory, "late.tar"), bytes);
  const seen: Uint8Array[] = [];
  const reading = async () => {
    for await (const chunk of readArchive(path, "tar")) seen.push(chunk);
  };
  await expect(reading()).rejects.toMatchObject({ code: "archive-escape" });
  expect(Buffer.concat(seen).includes("bad")).toBe(false);
});

test("archives put together at random unpack into their folder, or are refused", async () => {
  const name = fc.constantFrom("a", "a/b", "etc", "etc/x", "./a", "a/", "../a", "/a", "a/../b", "b", "b/c");
  const entry = fc.oneof(
    name.map((path) => file(path)),
    name.map((path) => folder(path)),
    fc
      .tuple(name, fc.constantFrom("/", "..", "a", "../../etc", "/etc/shadow", "."))
      .map(([path, to]) => symlink(path, to)),
    fc.tuple(name, name).map(([path, to]) => link(path, to)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { minLength: 1, maxLength: 6 }), async (entries) => {
      const sandbox = await mkdtemp(join(directory, "sandbox-"));
      await mkdir(join(sandbox, "tree"));
      await writeFile(join(sandbox, "a"), "outside");
      const path = await writeBytes(join(directory, "random.tar"), await tarOf([folder("etc"), ...entries]));
      try {
        await run("tar", ["-x", "-C", join(sandbox, "tree")], {
          doing: "unpacking",
          input: readArchive(path, "tar"),
          accept: [0, 2],
        });
      } catch (error) {
        expect(error).toMatchObject({ kind: "integrity", code: expect.stringMatching(/^archive-/) });
      }
      expect(await readFile(join(sandbox, "a"), "utf8")).toBe("outside");
      const { stdout } = await run("find", [sandbox, "-mindepth", "1", "-maxdepth", "1"], { doing: "looking" });
      expect(stdout.trim().split("\n").sort()).toEqual([join(sandbox, "a"), join(sandbox, "tree")]);
      await rm(sandbox, { recursive: true });
    }),
    { numRuns: 40 },
  );
});

test("an archive damaged at random is passed on or refused by a typed failure", async () => {
  const whole = Buffer.concat([
    makeMember("x", "p", record("path", "etc/long")),
    makeMember("0", "etc/l", "text"),
    makeMember("L", "l", "usr/share/long\0"),
    makeMember("0", "x", "text"),
    end,
  ]);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      async (changes, fixed) => {
        const damaged = Buffer.from(whole);
        for (const [offset, value] of changes) damaged.writeUInt8(value, offset);
        if (fixed) fixChecksums(damaged);
        await read(damaged).catch((error: unknown) => expect(error).toBeInstanceOf(Failure));
      },
    ),
    { numRuns: 300 },
  );
});

function fixChecksums(archive: Buffer): void {
  for (let start = 0; start < archive.length - 1024; start += 1024) {
    const block = archive.subarray(start, start + 512);
    block.fill(0x20, 148, 156);
    const sum = block.reduce((total, byte) => total + byte, 0);
    block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  }
}
