const types: Record<string, string> = {
  json: "application/json",
  zst: "application/zstd",
  SHA256SUMS: "text/plain; charset=utf-8",
};

/** What a web server in front of a bucket should call an object, by its key. */
export function contentTypeOf(key: string): string {
  const name = key.slice(key.lastIndexOf("/") + 1);
  return types[name.slice(name.lastIndexOf(".") + 1)] ?? "application/octet-stream";
}
