import { type Emit, note } from "../common/event.ts";

/** More is no account of what happened any more, and the journal is kept in memory. */
const mostLines = 2_000;
const longestLine = 500;

/** @returns what tells each line that a step's programs say, as far as that helps anybody */
export function noteOutput(emit: Emit, step: string): (line: string) => void {
  let told = 0;
  return (line) => {
    told += 1;
    if (told <= mostLines) note(emit, line.slice(0, longestLine), step);
    if (told === mostLines) note(emit, "it says more, which is not kept", step);
  };
}
