import { Failure } from "../../common/failure.ts";
import type { InstalledPackage } from "./installed-package.ts";

/**
 * A header as rpm's database keeps it (rpm's docs/manual/format_header.md): the number of index entries, the size of
 * the data, the entries of four numbers each (tag, type, offset, count), the data; big-endian.
 */
const introBytes = 8;
const entryBytes = 16;
/** rpm itself refuses more (lib/header.cc, hdrchkTags). */
const entryLimit = 0xffff;

/** Tags and types as in rpm's docs/manual/tags.md and format_header.md. */
const tags = { name: 1000, version: 1001, release: 1002, epoch: 1003, vendor: 1011, arch: 1022, sourcePackage: 1044 };
const int32Type = 4;
const stringType = 6;

/**
 * @returns undefined for what is no software: an imported signing key is kept as the package gpg-pubkey
 * @throws Failure `package-database-invalid` (integrity)
 */
export function parseRpmHeader(bytes: Buffer): InstalledPackage | undefined {
  const values = readValues(bytes);
  const text = (tag: number) => {
    const value = values.get(tag);
    return typeof value === "string" ? value : undefined;
  };
  const name = text(tags.name);
  const version = text(tags.version);
  const release = text(tags.release);
  if (!name || !version || !release) throw invalidDatabase("a header lacks name, version or release");
  if (name === "gpg-pubkey") return undefined;
  const epoch = values.get(tags.epoch);
  const arch = text(tags.arch);
  const source = text(tags.sourcePackage);
  const supplier = text(tags.vendor);
  return {
    format: "rpm",
    name,
    version: `${version}-${release}`,
    ...(typeof epoch === "number" && { epoch }),
    ...(arch && { arch }),
    ...(source && source !== "(none)" && { source }),
    ...(supplier && supplier !== "(none)" && { supplier }),
  };
}

function readValues(bytes: Buffer): Map<number, string | number> {
  if (bytes.length < introBytes) throw invalidDatabase("a header is cut off");
  const entries = bytes.readUInt32BE(0);
  const dataStart = introBytes + entries * entryBytes;
  const dataEnd = dataStart + bytes.readUInt32BE(4);
  if (entries > entryLimit || dataEnd > bytes.length) throw invalidDatabase("a header is cut off");
  const wanted = new Set<number>(Object.values(tags));
  const values = new Map<number, string | number>();
  for (let at = introBytes; at < dataStart; at += entryBytes) {
    const tag = bytes.readUInt32BE(at);
    if (!wanted.has(tag) || values.has(tag)) continue;
    const type = bytes.readUInt32BE(at + 4);
    const offset = dataStart + bytes.readUInt32BE(at + 8);
    if (type === int32Type && offset + 4 <= dataEnd) values.set(tag, bytes.readUInt32BE(offset));
    else if (type === stringType) values.set(tag, readString(bytes.subarray(0, dataEnd), offset));
    else throw invalidDatabase(`tag ${tag} of a header has the type ${type}, or lies outside`);
  }
  return values;
}

/** A name or a version longer than this is none. */
const stringLimitBytes = 4096;

function readString(data: Buffer, offset: number): string {
  const end = data.subarray(offset, offset + stringLimitBytes).indexOf(0);
  if (end < 0) throw invalidDatabase("a text of a header has no end");
  return data.toString("utf8", offset, offset + end);
}

export function invalidDatabase(reason: string, cause?: unknown): Failure {
  return new Failure({
    code: "package-database-invalid",
    kind: "integrity",
    message: `reading the image's rpm database: ${reason}`,
    ...(cause === undefined ? {} : { cause }),
  });
}
