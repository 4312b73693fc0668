/**
 * Text as a terminal may get it. What comes of a foreign image or program could otherwise move the cursor, change the
 * title or answer in its reader's name (ECMA-48, control functions). Lines and tabs stay.
 */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => (character === "\n" || character === "\t" ? character : "?"));
}
