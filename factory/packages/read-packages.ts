import { lstat } from "node:fs/promises";
import { findFile, readBytes, readText } from "../../common/tree-file.ts";
import { parseDpkgStatus } from "./dpkg.ts";
import type { InstalledPackage } from "./installed-package.ts";
import { readBerkeleyHash } from "./rpm-berkeley.ts";
import { invalidDatabase, parseRpmHeader } from "./rpm-header.ts";
import { readNdb } from "./rpm-ndb.ts";
import { readRpmSqlite } from "./rpm-sqlite.ts";

/** The folders of rpm's database: the newer of them first (rpm's macro _dbpath). */
const rpmFolders = ["usr/lib/sysimage/rpm", "var/lib/rpm"];

/** Several times what a server with everything has. */
const databaseLimitBytes = 512 * 2 ** 20;

/**
 * Reads which packages a tree has, from dpkg's database or rpm's. Nothing of the tree is run.
 * @returns undefined where there is no database of either; else the packages, sorted by name, version and architecture
 * @throws Failure `package-database-invalid`, `file-too-large`, `link-loop` (integrity)
 */
export async function readPackages(tree: string): Promise<InstalledPackage[] | undefined> {
  const status = await readText(tree, "var/lib/dpkg/status");
  const debs = status === undefined ? undefined : parseDpkgStatus(status);
  // The other manager's tools may be installed too, with a database that is empty.
  const packages = debs?.length ? debs : ((await readRpmPackages(tree)) ?? debs);
  const key = ({ name, version, arch = "" }: InstalledPackage) => `${name}\0${version}\0${arch}`;
  return packages?.sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
}

async function readRpmPackages(tree: string): Promise<InstalledPackage[] | undefined> {
  for (const folder of rpmFolders) {
    const headers = await readRpmHeaders(tree, folder);
    if (headers !== undefined) return headers.flatMap((header) => parseRpmHeader(header) ?? []);
  }
  return undefined;
}

async function readRpmHeaders(tree: string, folder: string): Promise<Buffer[] | undefined> {
  const sqlite = await findDatabase(tree, `${folder}/rpmdb.sqlite`);
  if (sqlite !== undefined) return readRpmSqlite(sqlite, await findDatabase(tree, `${folder}/rpmdb.sqlite-wal`));
  const ndb = await readBytes(tree, `${folder}/Packages.db`, databaseLimitBytes);
  if (ndb !== undefined) return readNdb(ndb);
  const berkeley = await readBytes(tree, `${folder}/Packages`, databaseLimitBytes);
  return berkeley && readBerkeleyHash(berkeley);
}

async function findDatabase(tree: string, path: string): Promise<string | undefined> {
  const found = await findFile(tree, path);
  if (found === undefined || (await lstat(found)).size <= databaseLimitBytes) return found;
  throw invalidDatabase(`/${path} has more than ${databaseLimitBytes} bytes`);
}
