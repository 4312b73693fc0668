import { Failure } from "../../common/failure.ts";
import type { ArchiveFormat } from "../image-format.ts";
import { checkFormat } from "./check-format.ts";
import { type Compression, decompress } from "./decompress.ts";
import { type ConvertOptions, maximumUnpackedBytes } from "./disk-format.ts";
import { type ByteSource, openSource, readChunks } from "./source.ts";
import { TarScanner } from "./tar/scanner.ts";
import { type Objection, TreeRules } from "./tree-rules.ts";

const hints: Partial<Record<Objection["code"], string>> = {
  "archive-escape": "the archive was made to write outside of its folder, or archived with a pattern: do not use it",
  "archive-layer":
    "this is one layer of a container image: flatten it first, as `docker export` or `umoci unpack` does",
  "archive-not-root": "give the archive of a whole root file system, with etc and usr at its top",
};

/**
 * The plain bytes of a root file system archive, to be unpacked by GNU tar into an empty folder. Every member's header
 * was checked before its bytes leave; the end is reached only if all of the archive was there and nothing else.
 * @param options as for a conversion; the limit is of the plain archive, default 64 GiB
 * @throws Failure `format-mismatch`, `format-ambiguous`, `image-truncated`, `stream-corrupt`, `stream-trailing`,
 *   `image-too-large`, `archive-invalid`, `archive-escape`, `archive-layer`, `archive-member-unknown`,
 *   `archive-not-root`, `archive-too-large` (integrity), `image-unreadable` (configuration)
 */
export async function* readArchive(
  path: string,
  format: ArchiveFormat,
  options: ConvertOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  await checkFormat(path, format);
  const refuse = (reason: string) =>
    failure(path, "archive-invalid", reason, "the archive is damaged, or was made to mislead: get it again");
  const object = (objection: Objection | undefined) => {
    if (objection) throw failure(path, objection.code, objection.reason, hints[objection.code]);
  };
  const rules = new TreeRules();
  const scanner = new TarScanner(refuse, (member) => object(rules.check(member)));
  const source = await openSource(path);
  try {
    for await (const chunk of plainBytes(source, format, options)) {
      scanner.push(chunk);
      yield chunk;
    }
    scanner.end();
    object(rules.end());
  } finally {
    await source.close();
  }
}

const compressions: Readonly<Record<ArchiveFormat, Compression | undefined>> = {
  tar: undefined,
  "tar.xz": "xz",
  "tar.gz": "gz",
  "tar.zst": "zst",
};

async function* plainBytes(
  source: ByteSource,
  format: ArchiveFormat,
  { maximumBytes = maximumUnpackedBytes, signal, advance }: ConvertOptions,
): AsyncGenerator<Uint8Array> {
  const compression = compressions[format];
  if (compression !== undefined) {
    yield* decompress(source, compression, { maximumBytes, ...(signal && { signal }), ...(advance && { advance }) });
    return;
  }
  let bytes = 0;
  for await (const chunk of readChunks(source, signal)) {
    yield chunk;
    bytes += chunk.length;
    advance?.(bytes, source.sizeBytes);
  }
}

function failure(path: string, code: string, reason: string, hint?: string): Failure {
  return new Failure({
    code,
    kind: "integrity",
    message: `reading the archive ${path}: ${reason}`,
    ...(hint === undefined ? {} : { hint }),
  });
}
