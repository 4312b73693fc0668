import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

/** A folder for what the tests of one file make, which goes once they have run. */
export const fileDirectory = mkdtempSync(join(tmpdir(), "test-"));
afterAll(() => rmSync(fileDirectory, { recursive: true, force: true }));
