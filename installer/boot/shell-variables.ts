/** Assignments in a file that a shell sources, by name. */
export type ShellVariables = Readonly<Record<string, string>>;

/** Sets variables of such a text: what was said of them before goes, and all other lines stay. */
export function setVariables(text: string, variables: ShellVariables): string {
  const kept = text.split("\n").filter((line) => !(assignedName(line) in variables));
  while (kept.at(-1) === "") kept.pop();
  const lines = Object.entries(variables).map(([name, value]) => `${name}="${value.replace(/[\\"$`]/g, "\\$&")}"`);
  return `${[...kept, ...lines].join("\n")}\n`;
}

/** @returns what a line of a shell's assigns to; an empty text where it does nothing of the kind */
export function assignedName(line: string): string {
  return /^\s*(?:export\s+)?([A-Za-z_]\w*)=/.exec(line)?.[1] ?? "";
}
