import { Qcow2Error, type Qcow2ErrorCode } from "./error.ts";
import type { TableRange } from "./layout.ts";

/** To a worker thread: one share of the disk to copy. */
export type CopyRequest = readonly TableRange[];

/** From a worker thread: what became of it. */
export type CopyReply = { dataBytes: number } | { refused: PlainError };

/** A Qcow2Error without its class and its cause, as it can be sent between threads. */
interface PlainError {
  code: Qcow2ErrorCode;
  message: string;
  hint: string | undefined;
  data: Readonly<Record<string, unknown>>;
}

export function toPlain({ code, message, hint, data }: Qcow2Error): PlainError {
  return { code, message, hint, data };
}

export function fromPlain({ code, message, hint, data }: PlainError): Qcow2Error {
  return new Qcow2Error(code, message, { data, ...(hint !== undefined && { hint }) });
}
