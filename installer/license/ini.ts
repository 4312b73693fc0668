import { reveal, type Secret } from "../../common/secret.ts";

/** By section and key. */
export type IniSettings = Readonly<Record<string, Readonly<Record<string, string | Secret>>>>;

/**
 * Sets keys of a configuration file as Python's ConfigParser reads it: what was said of them before goes, and all other
 * lines stay. Per cent signs are doubled, since it replaces `%(name)s` in values.
 */
export function setIni(text: string, settings: IniSettings): string {
  const lines = text.split("\n");
  while (lines.at(-1) === "") lines.pop();
  const sections = splitSections(lines);
  for (const [name, keys] of Object.entries(settings)) {
    let section = sections.find((candidate) => candidate.name === name);
    if (!section) {
      section = { name, lines: [`[${name}]`] };
      sections.push(section);
    }
    section.lines = setKeys(section.lines, keys);
  }
  return `${sections.flatMap((section) => section.lines).join("\n")}\n`;
}

interface Section {
  name: string;
  lines: string[];
}

function splitSections(lines: readonly string[]): Section[] {
  const sections: Section[] = [{ name: "", lines: [] }];
  for (const line of lines) {
    const name = /^\[([^\]]+)\]/.exec(line)?.[1];
    if (name !== undefined) sections.push({ name, lines: [] });
    sections.at(-1)?.lines.push(line);
  }
  return sections;
}

/** Each in the place of the first that there was, or right below the section's name. Keys are the same in any case. */
function setKeys([head = "", ...rest]: readonly string[], keys: IniSettings[string]): string[] {
  const format = (key: string) => `${key} = ${reveal(keys[key] ?? "").replaceAll("%", "%%")}`;
  const named = new Map(Object.keys(keys).map((key) => [key.toLowerCase(), key]));
  const done = new Set<string>();
  let isReplaced = false;
  const edited = rest.flatMap((line) => {
    // A value goes on in lines that are indented.
    if (isReplaced && /^[ \t]+\S/.test(line)) return [];
    const key = named.get(/^([^\s#;=:][^=:]*?)\s*[=:]/.exec(line)?.[1]?.toLowerCase() ?? "");
    isReplaced = key !== undefined;
    if (key === undefined) return [line];
    if (done.has(key)) return [];
    done.add(key);
    return [format(key)];
  });
  const added = Object.keys(keys).filter((key) => !done.has(key));
  return [head, ...added.map(format), ...edited];
}
