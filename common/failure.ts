/**
 * What kind of failure it is decides the exit code of the command line, and whether a caller should try again.
 * The numbers are part of the public interface: README.md lists them.
 */
export const exitCodes = {
  failed: 1,
  usage: 2,
  configuration: 3,
  integrity: 4,
  retry: 5,
  refused: 6,
  interrupted: 130,
} as const;

export type FailureKind = keyof typeof exitCodes;

export interface FailureDetails {
  /** Stable name for programs, kebab-case: `disk-held`, `frame-hash-mismatch`. */
  code: string;
  kind: FailureKind;
  /** What was being done and what went wrong, on one line: "refusing to wipe /dev/sda: /dev/sda2 is mounted on /". */
  message: string;
  /** The way out, on one line. */
  hint?: string;
  /** Facts for programs: what was expected, what was found. Never a secret. */
  data?: Readonly<Record<string, unknown>>;
  cause?: unknown;
}

/** The one error type that Metalcast throws on purpose. Anything else that escapes is a defect. */
export class Failure extends Error {
  readonly code: string;
  readonly kind: FailureKind;
  readonly hint: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;

  constructor({ code, kind, message, hint, data, cause }: FailureDetails) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "Failure";
    this.code = code;
    this.kind = kind;
    this.hint = hint;
    this.data = data ?? {};
  }

  get exitCode(): number {
    return exitCodes[this.kind];
  }
}

/** Everything thrown is a Failure at the border: a foreign error becomes one that keeps it as its cause. */
export function asFailure(error: unknown, doing: string): Failure {
  if (error instanceof Failure) return error;
  if (error instanceof Error && error.name === "AbortError") {
    return new Failure({ code: "interrupted", kind: "interrupted", message: `${doing}: interrupted`, cause: error });
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new Failure({ code: "unexpected", kind: "failed", message: `${doing}: ${reason}`, cause: error });
}
