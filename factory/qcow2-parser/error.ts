/** Why an image, or a request, was refused. The names are stable. */
export type Qcow2ErrorCode =
  /** The first four bytes are not `QFI\xfb`. */
  | "not-qcow2"
  /** The file ends before the header does. */
  | "header-truncated"
  /** Header fields contradict each other or the specification. */
  | "header-invalid"
  | "version-unsupported"
  | "cluster-size-unsupported"
  | "compression-unsupported"
  /** An incompatible feature bit that this reader does not know. */
  | "feature-unknown"
  | "backing-file"
  | "external-data-file"
  | "encrypted"
  | "marked-corrupt"
  | "marked-dirty"
  | "virtual-size-too-large"
  | "l1-too-large"
  | "l1-too-small"
  /** A table or a cluster does not begin at a cluster boundary. */
  | "misaligned"
  /** A table or a cluster lies beyond the end of the file, wholly or in part. */
  | "outside-file"
  /** A table entry breaks the specification. */
  | "entry-invalid"
  /** Compressed data that is damaged, or does not make exactly one cluster. */
  | "cluster-corrupt"
  /** A read past the end of the virtual disk. */
  | "out-of-range"
  | "open-failed"
  | "read-failed"
  | "write-failed"
  /** A worker thread died without an answer: of a lack of memory, most likely. */
  | "worker-failed";

export interface Qcow2ErrorDetails {
  /** The way out, on one line. */
  hint?: string;
  /** Facts for programs: offsets, sizes, what was found. */
  data?: Readonly<Record<string, unknown>>;
  cause?: unknown;
}

/** The one error type of this package. Only the reason of an aborted signal passes through as it is. */
export class Qcow2Error extends Error {
  readonly code: Qcow2ErrorCode;
  readonly hint: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;

  constructor(code: Qcow2ErrorCode, message: string, { hint, data, cause }: Qcow2ErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "Qcow2Error";
    this.code = code;
    this.hint = hint;
    this.data = data ?? {};
  }
}
