import { open } from "node:fs/promises";
import { Failure } from "../../common/failure.ts";
import { reportLimitBytes } from "./entries.ts";
import { reportOverlong } from "./parse-report.ts";

/** @throws Failure `report-unreadable` (configuration), `report-overlong` (integrity) */
export async function readReportFile(path: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    await using file = await open(path);
    for await (const chunk of file.createReadStream({ autoClose: false })) {
      const bytes = Buffer.from(chunk);
      sizeBytes += bytes.byteLength;
      if (sizeBytes > reportLimitBytes) throw reportOverlong(path);
      chunks.push(bytes);
    }
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure({
      code: "report-unreadable",
      kind: "configuration",
      message: `reading the report ${path}: ${error instanceof Error ? error.message : error}`,
      hint: "give the report.json that `metalcast qualify --report` has written",
      cause: error,
    });
  }
  return Buffer.concat(chunks);
}
