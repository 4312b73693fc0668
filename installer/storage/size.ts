import { z } from "zod";
import { parseSize } from "../../common/units.ts";
import { storageInvalid } from "./storage-invalid.ts";

/** How much of what it lies on a partition or a volume takes. */
export type Size = { bytes: number } | { percent: number } | "rest";

const percentPattern = /^\s*(\d{1,3}(?:\.\d{1,3})?)\s*%\s*$/;

function parseShare(text: string): Size | undefined {
  if (text.trim() === "rest") return "rest";
  const percent = Number(percentPattern.exec(text)?.[1]);
  if (!Number.isNaN(percent)) return percent > 0 && percent <= 100 ? { percent } : undefined;
  try {
    const bytes = parseSize(text);
    return bytes > 0 && Number.isSafeInteger(bytes) ? { bytes } : undefined;
  } catch {
    return undefined;
  }
}

/** `10 GiB`, `30%` or `rest`. */
export const sizeSchema = z.string().transform((text, context): Size => {
  const size = parseShare(text);
  if (size !== undefined) return size;
  context.addIssue({ code: "custom", message: `"${text}" is not a size; write for example "10 GiB", "30%" or "rest"` });
  return z.NEVER;
});

interface Share {
  name: string;
  size: Size;
}

/**
 * Divides what there is: sizes first, percentages of the whole, and the rest to whoever asks for it.
 * @param where for messages: "on /dev/sda"
 * @returns bytes in the order of the shares, each a whole and positive number of units, together no more than there is
 * @throws Failure `storage-invalid` (configuration)
 */
export function divide(shares: readonly Share[], availableBytes: number, unitBytes: number, where: string): number[] {
  const wholeBytes = Math.floor(Math.max(0, availableBytes) / unitBytes) * unitBytes;
  const takers = shares.filter(({ size }) => size === "rest").map(({ name }) => name);
  if (takers.length > 1) throw storageInvalid(`${takers.join(" and ")} both take the rest ${where}`);
  const percents = shares.reduce((sum, { size }) => sum + (size !== "rest" && "percent" in size ? size.percent : 0), 0);
  // Fractions of a percent do not add up exactly.
  if (percents > 100.0001) throw storageInvalid(`the percentages ${where} come to ${Math.round(percents)}%`);

  const wanted = shares.map(({ size }) => {
    if (size === "rest") return 0;
    if ("percent" in size) return Math.floor((wholeBytes * size.percent) / 100 / unitBytes) * unitBytes;
    return Math.ceil(size.bytes / unitBytes) * unitBytes;
  });
  const restBytes = wholeBytes - wanted.reduce((sum, bytes) => sum + bytes, 0);
  if (restBytes < 0) {
    const names = shares.map(({ name }) => name).join(", ");
    throw storageInvalid(
      `${names} need ${mebibytes(wholeBytes - restBytes)} ${where}, which has ${mebibytes(wholeBytes)}`,
    );
  }
  return shares.map(({ name, size }, index) => {
    const bytes = size === "rest" ? restBytes : (wanted[index] ?? 0);
    if (bytes < unitBytes) throw storageInvalid(`nothing is left for ${name} ${where}`);
    return bytes;
  });
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
