/** What a header says of an object, by its key alone. */

const contentTypes: readonly (readonly [suffix: string, type: string])[] = [
  [".cdx.json", "application/vnd.cyclonedx+json"],
  [".json", "application/json"],
  [".html", "text/html; charset=utf-8"],
  [".zst", "application/zstd"],
  ["SHA256SUMS", "text/plain; charset=utf-8"],
];

export function contentTypeOf(key: string): string {
  return contentTypes.find(([suffix]) => key.endsWith(suffix))?.[1] ?? "application/octet-stream";
}

/** Files of a version, lists of versions by their hash, and metadata by its number are written once. */
const immutableKey =
  /^(?:images\/[^/]+\/[^/]+\/(?:\d{8}\.\d+\/[^/]+|[0-9a-f]{64}\.channels\.json)|metadata\/\d+\.[^/]+\.json)$/;

/** `no-cache`: kept, and asked after at each use, which costs an answer without a body (RFC 9111, 5.2.2.4). */
export function cacheControlOf(key: string): string {
  return immutableKey.test(key) ? "public, max-age=31536000, immutable" : "no-cache";
}
