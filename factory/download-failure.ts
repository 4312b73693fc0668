import { Failure } from "../common/failure.ts";

const byHand = "or download the file by hand and name it with --source and --checksum";

/** What the server may answer otherwise a little later (RFC 9110 section 15, RFC 6585 section 4). */
const passingStatuses = [408, 425, 429, 500, 502, 503, 504];

/** A request that brought no answer, or half of one. A Failure stays what it is. */
export function requestFailure(url: string, error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure({
    code: "download-failed",
    kind: "retry",
    message: `downloading ${url}: ${reasonOf(error)}`,
    hint: `try again, ${byHand}`,
    data: { url },
    cause: error,
  });
}

/** fetch() says "fetch failed" or "terminated", and has the reason as the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message !== "" ? error.cause.message : error.message;
}

/** An answer that is not the file. */
export function statusFailure(url: string, status: number, pauseMs: number | undefined): Failure {
  if (passingStatuses.includes(status)) {
    return new Failure({
      code: "download-failed",
      kind: "retry",
      message: `downloading ${url}: the server answered ${status}`,
      hint: `try again later, ${byHand}`,
      data: { url, status, ...(pauseMs === undefined ? {} : { pauseMs }) },
    });
  }
  return new Failure({
    code: "download-refused",
    kind: "configuration",
    message: `downloading ${url}: the server answered ${status}`,
    hint: `the vendor may have moved it: look at the URL in the catalog, ${byHand}`,
    data: { url, status },
  });
}

/** @see RFC 9110 section 10.2.3: seconds, or a date */
export function retryAfterMs(header: string | null, now: number = Date.now()): number | undefined {
  if (header === null) return undefined;
  const milliseconds = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isFinite(milliseconds) ? Math.max(0, milliseconds) : undefined;
}

export function tooLarge(url: string, maximumBytes: number, limit: string): Failure {
  return new Failure({
    code: "download-too-large",
    kind: "integrity",
    message: `downloading ${url}: it is longer than the limit of ${limit}`,
    hint: "look at the URL in the catalog",
    data: { url, maximumBytes },
  });
}
