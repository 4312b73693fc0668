import { z } from "zod";
import { Failure } from "../../common/failure.ts";
import { reportLimitBytes } from "./entries.ts";
import { type QualificationReport, qualificationReportSchema } from "./report.ts";

/**
 * @param bytes of a `report.json`
 * @param where it was found, for messages
 * @throws Failure `report-overlong`, `report-invalid` (integrity)
 */
export function parseReport(bytes: Uint8Array, where: string): QualificationReport {
  if (bytes.byteLength > reportLimitBytes) throw reportOverlong(where);
  try {
    return qualificationReportSchema.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error).replaceAll("\n", " ") : "it is not JSON";
    throw new Failure({
      code: "report-invalid",
      kind: "integrity",
      message: `reading ${where}: ${reason.slice(0, 1000)}`,
      hint: "give the report.json that `metalcast qualify --report` has written",
      cause: error,
    });
  }
}

/** @returns Failure `report-overlong` (integrity) */
export function reportOverlong(where: string): Failure {
  return new Failure({
    code: "report-overlong",
    kind: "integrity",
    message: `reading ${where}: it is longer than the ${reportLimitBytes} bytes that are sensible`,
    hint: "give the report.json that `metalcast qualify --report` has written",
    data: { limitBytes: reportLimitBytes },
  });
}
