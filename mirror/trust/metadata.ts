import { createHash } from "node:crypto";
import {
  Metadata,
  MetadataKind,
  type MetaFile,
  type Root,
  type Snapshot,
  type Targets,
  type Timestamp,
} from "@tufjs/models";
import { Failure } from "../../common/failure.ts";
import { type KeyRole, lifetimeDays } from "./roles.ts";
import type { SigningKey } from "./signing-key.ts";

/** The version of The Update Framework's specification that all metadata is written to. */
export const specVersion = "1.0.31";

export type Signed = Root | Targets | Snapshot | Timestamp;

const readers = {
  root: (data: never) => Metadata.fromJSON(MetadataKind.Root, data),
  targets: (data: never) => Metadata.fromJSON(MetadataKind.Targets, data),
  snapshot: (data: never) => Metadata.fromJSON(MetadataKind.Snapshot, data),
  timestamp: (data: never) => Metadata.fromJSON(MetadataKind.Timestamp, data),
};

/**
 * Reads metadata of a kind; nothing of it is verified yet.
 * @throws Failure `metadata-invalid` (integrity)
 */
export function parseMetadata<Kind extends keyof typeof readers>(
  kind: Kind,
  bytes: Uint8Array,
  where: string,
): ReturnType<(typeof readers)[Kind]> {
  try {
    return readers[kind](JSON.parse(Buffer.from(bytes).toString("utf8")) as never) as ReturnType<
      (typeof readers)[Kind]
    >;
  } catch (error) {
    throw new Failure({
      code: "metadata-invalid",
      kind: "integrity",
      message: `reading ${where}: ${error instanceof Error ? error.message : String(error)}`,
      hint: "the mirror is damaged or tampered with: compare it with another one",
      cause: error,
    });
  }
}

/** Signs it by these keys alone. */
export function signMetadata(signed: Signed, keys: readonly SigningKey[]): Buffer {
  const metadata = new Metadata(signed);
  for (const key of keys) metadata.sign((bytes) => key.sign(bytes));
  return Buffer.from(`${JSON.stringify(metadata.toJSON(), null, 1)}\n`);
}

/** What refers to a file of metadata (specification, 4.4). */
export function describeBytes(bytes: Uint8Array): { length: number; hashes: { sha256: string } } {
  return { length: bytes.byteLength, hashes: { sha256: createHash("sha256").update(bytes).digest("hex") } };
}

/** When what the role signs now expires: to the second, in UTC (specification, 4.2.1). */
export function expiryOf(role: KeyRole, now: Date): string {
  const expires = new Date(now.getTime() + lifetimeDays[role] * 86_400_000);
  return `${expires.toISOString().slice(0, 19)}Z`;
}

/** @throws Failure `metadata-mixed` (integrity) where the bytes are not what refers to them says */
export function expectDescribed(meta: MetaFile, bytes: Buffer, where: string): void {
  try {
    meta.verify(bytes);
  } catch (error) {
    throw new Failure({
      code: "metadata-mixed",
      kind: "integrity",
      message: `reading ${where}: it is not what the mirror's signed metadata refers to`,
      hint: "the mirror is damaged, tampered with, or was copied only in part: sync it again",
      cause: error,
    });
  }
}
