import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Failure } from "../../../common/failure.ts";
import { run } from "../../../common/run.ts";
import { parseDpkgStatus } from "../../../factory/packages/dpkg.ts";
import { readPackages } from "../../../factory/packages/read-packages.ts";
import { readBerkeleyHash } from "../../../factory/packages/rpm-berkeley.ts";
import { parseRpmHeader } from "../../../factory/packages/rpm-header.ts";
import { readNdb } from "../../../factory/packages/rpm-ndb.ts";
import { ImageTree } from "../image-tree.ts";
import { ndbOf, rpmHeader } from "./rpm-database.ts";

const alpha = { format: "rpm", name: "alpha", version: "1.0-1", arch: "x86_64" };
const beta = { format: "rpm", name: "beta", version: "2.0-3.el9", epoch: 1, arch: "noarch" };
const large = "large".padEnd(3000, "e");
const headers = [
  rpmHeader({ name: "beta", version: "2.0", release: "3.el9", epoch: 1, arch: "noarch" }),
  rpmHeader({ name: "alpha" }),
  rpmHeader({ name: "gpg-pubkey", version: "fd431d51", release: "4ae0493b" }),
];

let folder: string;
let berkeley: Buffer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "packages-"));
  berkeley = await makeBerkeley([...headers, rpmHeader({ name: large })]);
});
afterAll(() => rm(folder, { recursive: true }));

/** By Berkeley DB's own program, from the text that its db_dump writes. */
async function makeBerkeley(values: readonly Buffer[]): Promise<Buffer> {
  const key = (number: number) => Buffer.from(Uint32Array.of(number).buffer).toString("hex");
  const counter = [` ${key(0)}`, ` ${key(values.length)}`];
  const records = values.flatMap((value, index) => [` ${key(index + 1)}`, ` ${value.toString("hex")}`]);
  const head = ["VERSION=3", "format=bytevalue", "type=hash", "db_pagesize=4096", "HEADER=END"];
  const path = join(folder, "Packages");
  const input = `${[...head, ...counter, ...records, "DATA=END"].join("\n")}\n`;
  await run("db5.3_load", [path], { doing: "making an rpm database", input });
  return readFile(path);
}

/** By rpm's own statements (lib/backend/sqlite.cc), for a machine without a rpm that may install. */
async function makeSqlite(tree: ImageTree, statements: string, blobs: readonly Uint8Array[] = []): Promise<void> {
  await mkdir(join(tree.path, "var/lib/rpm"), { recursive: true });
  using database = new DatabaseSync(join(tree.path, "var/lib/rpm/rpmdb.sqlite"));
  database.exec(statements);
  const insert = blobs.length > 0 ? database.prepare("INSERT INTO Packages(blob) VALUES(?)") : undefined;
  for (const blob of blobs) insert?.run(blob);
}

const packagesTable = "CREATE TABLE Packages(hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL);";

describe("dpkg's database", () => {
  it("counts no package that is only half installed", () => {
    const field = "Version: 1\n";
    const status = `Package: a\n${field}Status: install ok unpacked\n\nPackage: b\n${field}Status: hold ok installed\n`;
    expect(parseDpkgStatus(status).map(({ name }) => name)).toEqual(["b"]);
  });

  it("tells version, architecture, source and maintainer; lines that go on belong to the field before", () => {
    const status = [
      "Package: mdadm",
      "Status: install ok installed",
      "Maintainer: Debian QA <qa@example.org>",
      "Architecture: amd64",
      "Source: mdadm (4.2-5)",
      "Version: 4.2-5+b1",
      "Description: tool",
      " Version: 9",
    ].join("\n");
    expect(parseDpkgStatus(status)).toEqual([
      {
        format: "deb",
        name: "mdadm",
        version: "4.2-5+b1",
        arch: "amd64",
        source: "mdadm (4.2-5)",
        supplier: "Debian QA <qa@example.org>",
      },
    ]);
  });
});

describe("rpm's database", () => {
  it("is read from SQLite, what only its journal has too, and stays as it is", async () => {
    await using tree = await ImageTree.make();
    await makeSqlite(tree, `PRAGMA journal_mode = WAL; ${packagesTable}`, headers.slice(0, 1));
    const path = join(tree.path, "var/lib/rpm/rpmdb.sqlite");
    using open = new DatabaseSync(path);
    open.prepare("INSERT INTO Packages(blob) VALUES(?)").run(headers[1] ?? null);
    const before = await readFile(path);
    expect(await readPackages(tree.path)).toEqual([alpha, beta]);
    expect(await readFile(path)).toEqual(before);
  });

  it("is read as rpm itself writes it", async () => {
    const [name, version] = ["sample", "1.2"];
    const spec = [`Name: ${name}`, `Version: ${version}`, "Release: 3", "Epoch: 2", "Summary: s", "License: MIT"];
    await writeFile(
      join(folder, "a.spec"),
      `${[...spec, "Vendor: V", "BuildArch: noarch"].join("\n")}\n%description\n%files\n`,
    );
    const top = join(folder, "top");
    await run("rpmbuild", ["-bb", "--quiet", "--define", `_topdir ${top}`, join(folder, "a.spec")], {
      doing: "building",
    });
    await using tree = await ImageTree.make();
    const database = join(tree.path, "usr/lib/sysimage/rpm");
    const options = ["--dbpath", database, "--define", "_db_backend sqlite", "--justdb", "--nodeps", "--install"];
    await run("rpm", [...options, join(top, "RPMS/noarch/sample-1.2-3.noarch.rpm")], { doing: "installing" });
    expect(await readPackages(tree.path)).toEqual([
      {
        format: "rpm",
        name: "sample",
        version: "1.2-3",
        epoch: 2,
        arch: "noarch",
        source: "sample-1.2-3.src.rpm",
        supplier: "V",
      },
    ]);
  });

  it("is read from SUSE's format", async () => {
    await using tree = await ImageTree.make({ "usr/lib/sysimage/rpm/Packages.db": ndbOf(headers) });
    expect(await readPackages(tree.path)).toEqual([alpha, beta]);
  });

  it("is read from Berkeley DB, in which values lie on a page or on chains of them", async () => {
    await using tree = await ImageTree.make({ "var/lib/rpm/Packages": berkeley });
    expect(await readPackages(tree.path)).toEqual([alpha, beta, { ...alpha, name: large }]);
  });

  it("is looked for where dpkg's is empty; without both there are no packages to tell of", async () => {
    await using tree = await ImageTree.make({ "var/lib/dpkg/status": "" });
    expect(await readPackages(tree.path)).toEqual([]);
    await tree.put("var/lib/rpm/Packages.db", ndbOf(headers));
    expect(await readPackages(tree.path)).toEqual([alpha, beta]);
    await using empty = await ImageTree.make();
    expect(await readPackages(empty.path)).toBeUndefined();
  });

  it.each([
    [
      "a view that counts for ever",
      "CREATE VIEW Packages AS WITH RECURSIVE n(blob) AS (VALUES(x'00') UNION ALL SELECT blob FROM n) SELECT blob FROM n",
    ],
    ["a computed column", "CREATE TABLE Packages(hnum INTEGER, blob BLOB AS (zeroblob(1000000000)))"],
    ["another table", "CREATE TABLE Names(name)"],
    ["a text for a header", `${packagesTable} INSERT INTO Packages(blob) VALUES('text')`],
  ])("is refused when SQLite has %s", async (_, statements) => {
    await using tree = await ImageTree.make();
    await makeSqlite(tree, statements);
    await expect(readPackages(tree.path)).rejects.toMatchObject({ code: "package-database-invalid" });
  });

  it("is refused when SQLite's rows share the pages of one package", async () => {
    await using tree = await ImageTree.make();
    const fills = [1, 2, 3, 4, 5, 6, 7];
    // Of this size least stays on the table's page, which so holds all rows (sqlite.org/fileformat.html, 1.6).
    const blobs = fills.map((fill) => Buffer.alloc(299_000, fill));
    await makeSqlite(tree, `PRAGMA page_size = 4096; ${packagesTable.replace(" AUTOINCREMENT", "")}`, blobs);
    const bytes = await readFile(join(tree.path, "var/lib/rpm/rpmdb.sqlite"));
    // An overflow page begins with the number of the next one; a row on the table's page ends with that of its first.
    const chains = fills.map((fill) => {
      const pages = Array.from({ length: bytes.length / 4096 }, (_, page) => page * 4096);
      const own = pages.filter((page) => bytes.subarray(page + 4, page + 100).every((byte) => byte === fill));
      const followers = new Set(own.map((page) => bytes.readUInt32BE(page)));
      const numbers = own.map((page) => page / 4096 + 1);
      return { fill, first: numbers.find((number) => !followers.has(number)) ?? 0, last: Math.max(...numbers) };
    });
    const [kept, ...others] = chains;
    for (const { fill, first } of others) {
      const end = Buffer.of(fill, 0, 0, first >> 8, first & 255);
      const row = bytes.subarray(4096, 8192).indexOf(end);
      expect(row).toBeGreaterThan(0);
      bytes.writeUInt32BE(kept?.first ?? 0, 4096 + row + 1);
    }
    bytes.writeUInt32BE(kept?.last ?? 0, 28);
    await tree.put("var/lib/rpm/rpmdb.sqlite", bytes.subarray(0, (kept?.last ?? 0) * 4096));
    await expect(readPackages(tree.path)).rejects.toMatchObject({ message: expect.stringMatching(/rows .* overlap/) });
  });

  it("is refused when the file is no database of SQLite", async () => {
    await using tree = await ImageTree.make({ "var/lib/rpm/rpmdb.sqlite": "SQLite format 3\0".padEnd(5000, "x") });
    await expect(readPackages(tree.path)).rejects.toMatchObject({ code: "package-database-invalid" });
  });

  it("is refused when its slots share a package, or a chain of pages bites its tail", () => {
    const shared = ndbOf([rpmHeader({ name: large }), ...Array.from({ length: 200 }, () => rpmHeader({ name: "a" }))]);
    for (let slot = 48; slot < 48 + 200 * 16; slot += 16) shared.copy(shared, slot, 32, 48);
    expect(() => readNdb(shared)).toThrow(/overlap/);
    const ring = Buffer.from(berkeley);
    const isOverflow = (page: number) => ring[page + 25] === 7;
    const chains = Array.from({ length: ring.length / 4096 }, (_, page) => page * 4096).filter(isOverflow);
    expect(chains.length).toBeGreaterThan(0);
    for (const page of chains) ring.writeUInt32LE(page / 4096, page + 16);
    const first = chains[0] ?? 0;
    // An item of type 3 names its first page and its length.
    const item = ring.indexOf(Uint8Array.of(first / 4096, 0, 0, 0), 4096 + 26) - 4;
    expect(ring[item]).toBe(3);
    ring.writeUInt32LE(0xffffffff, item + 8);
    expect(() => readBerkeleyHash(ring)).toThrow(/chain of pages/);
  });

  it("ends in packages or a typed failure, whatever the bytes of SQLite's file", async () => {
    await using tree = await ImageTree.make();
    await makeSqlite(tree, packagesTable, [...headers, rpmHeader({ name: large })]);
    const sample = await readFile(join(tree.path, "var/lib/rpm/rpmdb.sqlite"));
    const patches = fc.array(fc.tuple(fc.nat(sample.length - 1), fc.nat(255)), { minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(patches, fc.nat(sample.length), async (changes, length) => {
        const bytes = Buffer.from(sample);
        for (const [offset, value] of changes) bytes.writeUInt8(value, offset);
        for (const end of [bytes.length, length]) {
          await tree.put("var/lib/rpm/rpmdb.sqlite", bytes.subarray(0, end));
          await readPackages(tree.path).catch((error) => expect(error).toBeInstanceOf(Failure));
        }
      }),
      { numRuns: 60 },
    );
  });

  it("ends in packages or a typed failure, whatever its bytes", () => {
    const ndb = ndbOf(headers);
    const readers: [Buffer, (bytes: Buffer) => unknown][] = [
      [ndb, (bytes) => readNdb(bytes).map(parseRpmHeader)],
      [berkeley, (bytes) => readBerkeleyHash(bytes).map(parseRpmHeader)],
      [rpmHeader({ name: "a", epoch: 3 }), parseRpmHeader],
    ];
    for (const [sample, read] of readers) {
      const patches = fc.array(fc.tuple(fc.nat(sample.length - 1), fc.nat(255)), { maxLength: 12 });
      fc.assert(
        fc.property(patches, fc.nat(sample.length), (changes, length) => {
          const bytes = Buffer.from(sample);
          for (const [offset, value] of changes) bytes.writeUInt8(value, offset);
          for (const end of [bytes.length, length]) {
            try {
              read(bytes.subarray(0, end));
            } catch (error) {
              expect(error).toBeInstanceOf(Failure);
            }
          }
        }),
        { numRuns: 300 },
      );
    }
  });
});
