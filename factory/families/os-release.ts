import { readText, requireText } from "../../common/tree-file.ts";

/**
 * os-release(5): /etc/os-release counts before that of /usr/lib, and is mostly a link to it.
 * @throws Failure `file-missing` (failed), `link-loop`, `file-too-large` (integrity)
 */
export async function readOsRelease(tree: string): Promise<Record<string, string>> {
  return parseOsRelease((await readText(tree, "etc/os-release")) ?? (await requireText(tree, "usr/lib/os-release")));
}

/** os-release(5): assignments as a shell reads them. */
export function parseOsRelease(text: string): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const [, name, value] = /^([A-Z][A-Z0-9_]*)=(.*)$/.exec(line.trim()) ?? [];
    if (name === undefined || value === undefined) continue;
    const quoted = /^(["'])(.*)\1$/.exec(value)?.[2];
    fields[name] = (quoted ?? value).replace(/\\([$"'\\`])/g, "$1");
  }
  return fields;
}
