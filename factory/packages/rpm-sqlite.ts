import { copyFile, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { invalidDatabase } from "./rpm-header.ts";

/** Many times what an image has. */
const packageLimit = 100_000;

/**
 * Reads rpm's SQLite database (lib/backend/sqlite.cc), of which one table holds every header.
 * A copy is opened, with the journal of what was written last: SQLite writes even where it only reads.
 * @param path a regular file of bounded size
 * @param journal the write-ahead log beside it, if there is one
 * @returns the rpm headers
 * @throws Failure `package-database-invalid` (integrity)
 */
export async function readRpmSqlite(path: string, journal: string | undefined): Promise<Buffer[]> {
  const folder = await mkdtemp(join(tmpdir(), "metalcast-rpmdb-"));
  try {
    const copy = join(folder, "rpmdb.sqlite");
    await copyFile(path, copy);
    let sizeBytes = (await stat(copy)).size;
    if (journal !== undefined) {
      await copyFile(journal, `${copy}-wal`);
      sizeBytes += (await stat(`${copy}-wal`)).size;
    }
    return readCopy(copy, sizeBytes);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function readCopy(path: string, sizeBytes: number): Buffer[] {
  try {
    using database = new DatabaseSync(path, { allowExtension: false, enableForeignKeyConstraints: false });
    // For a database that one doesn't trust (sqlite.org/security.html).
    database.exec("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0");
    assertPlainTable(database);
    const blobs: Buffer[] = [];
    let totalBytes = 0;
    for (const { blob } of database.prepare("SELECT blob FROM Packages").iterate()) {
      if (!(blob instanceof Uint8Array)) throw invalidDatabase("a row of Packages holds no header");
      if (blobs.length === packageLimit) throw invalidDatabase(`Packages has more than ${packageLimit} rows`);
      totalBytes += blob.byteLength;
      // Rows that share pages would take memory without end from a small file.
      if (totalBytes > sizeBytes) throw invalidDatabase("rows of Packages overlap");
      blobs.push(Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength));
    }
    return blobs;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ERR_SQLITE_ERROR")
      throw invalidDatabase(`SQLite says: ${error.message}`, error);
    throw error;
  }
}

/** A view or a computed column of that name could calculate for ever. */
function assertPlainTable(database: DatabaseSync): void {
  const table = database.prepare("SELECT sql FROM sqlite_schema WHERE name = 'Packages' AND type = 'table'").get();
  const columns = database.prepare("PRAGMA table_xinfo(Packages)").all();
  const plain = columns.some(({ name, hidden }) => name === "blob" && hidden === 0);
  if (!plain || typeof table?.sql !== "string" || !/^CREATE TABLE\b/i.test(table.sql))
    throw invalidDatabase("there is no table Packages with a column blob");
}
