import { Secret } from "../common/secret.ts";

/** Shorter ones would be found everywhere. */
const shortest = 4;

/** Takes secrets out of what a program says; of those of several lines, each line. */
export function hideSecrets(text: string, secrets: readonly Secret[]): string {
  const lines = secrets.flatMap((secret) => secret.reveal().split(/\r?\n/)).filter(({ length }) => length >= shortest);
  // The longest first: one may be a part of another.
  return lines.sort((a, b) => b.length - a.length).reduce((hidden, line) => hidden.replaceAll(line, "[hidden]"), text);
}

/** Tokens, passphrases and keys, wherever in a value they are. */
export function findSecrets(value: unknown): Secret[] {
  if (value instanceof Secret) return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(findSecrets) : [];
}
