import { readFileSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { type BootCase, bootCases } from "./boot-cases.ts";

const file = new URL("../../../docs/boot-matrix.json", import.meta.url);

const bootSchema = z.strictObject({
  firmware: z.enum(["uefi", "bios"]),
  /** The position of the disk that was pulled; null where all were there. */
  pulled: z.int().nullable(),
  /** After kernel and boot loaders were installed once more. */
  reinstalled: z.boolean(),
  /** `up`, or what was seen instead. */
  outcome: z.string(),
});

const resultSchema = z.strictObject({
  case: z.string(),
  over: z.string(),
  /** YYYY-MM-DD */
  ranAt: z.string(),
  /** Of the installed system. */
  kernel: z.string(),
  boots: z.array(bootSchema),
});

export type Boot = z.infer<typeof bootSchema>;
export type BootResult = z.infer<typeof resultSchema>;

/** What the last run of each case came to. */
export function readBootResults(): BootResult[] {
  try {
    return z.array(resultSchema).parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** At once, since cases end side by side. */
export function recordBootResult(result: BootResult): void {
  const others = readBootResults().filter((other) => other.case !== result.case);
  const position = ({ case: name }: BootResult) => bootCases.findIndex((bootCase) => bootCase.name === name);
  const all = [...others, result].sort((a, b) => position(a) - position(b));
  writeFileSync(file, `${JSON.stringify(all, undefined, 2)}\n`);
}

const columns: readonly [string, (boot: Boot) => boolean][] = [
  ["UEFI", ({ firmware, pulled, reinstalled }) => firmware === "uefi" && pulled === null && !reinstalled],
  ["each disk pulled", ({ firmware, pulled, reinstalled }) => firmware === "uefi" && pulled !== null && !reinstalled],
  ["BIOS", ({ firmware, pulled, reinstalled }) => firmware === "bios" && pulled === null && !reinstalled],
  ["each disk pulled", ({ firmware, pulled, reinstalled }) => firmware === "bios" && pulled !== null && !reinstalled],
  ["kernel and GRUB reinstalled, each disk pulled again", ({ reinstalled }) => reinstalled],
];

const marks = ["<!-- boot matrix -->", "<!-- end of the boot matrix -->"] as const;

/** Replaces what stands between the two marks of a text by the table. @throws Error where they are missing */
export function placeBootMatrix(text: string, results: readonly BootResult[]): string {
  const [begin, end] = marks.map((mark) => text.indexOf(mark));
  if (begin === undefined || end === undefined || begin < 0 || end < begin) throw new Error(`no ${marks.join(", ")}`);
  return `${text.slice(0, begin)}${marks[0]}\n\n${renderBootMatrix(results)}\n\n${text.slice(end)}`;
}

/** From the results alone. */
function renderBootMatrix(results: readonly BootResult[]): string {
  const rows = bootCases.map((bootCase) => renderCase(bootCase, results));
  const head = ["layout", "disks", "installed over", ...columns.map(([title]) => title)];
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((cells) => cells[column]?.length ?? 0)));
  const lines = [head, widths.map((width) => "-".repeat(width)), ...rows].map((cells) =>
    cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | "),
  );
  return lines.map((line) => `| ${line} |`).join("\n");
}

function renderCase({ name, title, disks }: BootCase, results: readonly BootResult[]): string[] {
  const result = results.find((other) => other.case === name);
  const cells = columns.map(([, belongs]) => renderBoots(result?.boots.filter(belongs) ?? []));
  return [title, String(disks), result?.over.replaceAll("-", " ") ?? "not run", ...cells];
}

function renderBoots(boots: readonly Boot[]): string {
  const up = boots.filter(({ outcome }) => outcome === "up").length;
  if (boots.length === 0) return "–";
  return up === boots.length ? `${up} of ${boots.length} up` : `**${up} of ${boots.length} up**`;
}
