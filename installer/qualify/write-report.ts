import { mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { QualificationReport } from "../../mirror/index.ts";
import { renderReport } from "./render-report.ts";

/** Writes report.json and report.html. Each is there whole or not at all; who finds the first finds the other too. */
export async function writeReport(directory: string, report: QualificationReport): Promise<void> {
  await mkdir(directory, { recursive: true });
  // The one for programs comes last.
  const files = { "report.html": renderReport(report), "report.json": `${JSON.stringify(report, undefined, 2)}\n` };
  const news = Object.entries(files).map(([name, content]) => ({ path: join(directory, name), content }));
  try {
    for (const { path, content } of news) {
      await using file = await open(`${path}.new`, "w", 0o644);
      await file.writeFile(content);
      await file.sync();
    }
    for (const { path } of news) await rename(`${path}.new`, path);
  } finally {
    for (const { path } of news) await rm(`${path}.new`, { force: true });
  }
}
