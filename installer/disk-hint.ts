import { z } from "zod";
import { parseSize } from "../common/units.ts";

/** One condition of a hint: `>= 400 GB`, `in 860`, `A or B`. Texts are in lower case, sizes in bytes. */
export interface Condition<Value extends string | number> {
  operator: "=" | "!=" | ">=" | "<=" | ">" | "<" | "in" | "all-in";
  /** Several: one of them for `=`, all of them for `all-in`. */
  values: readonly Value[];
}

/** A list in the job is one condition or another. */
export type Hint<Value extends string | number> = readonly Condition<Value>[];

/**
 * Operators as the job spells them, and as OpenStack Ironic does (oslo.utils, specs_matcher). Unlike there, `=` is
 * equality for sizes too: Ironic keeps it as another `>=` for reasons of its own history.
 */
const spelling = /^(s==|s!=|==|!=|>=|<=|=|>|<(?![a-z-]+>)|<in>|<all-in>|<or>|(?:in|all-in|or)(?=\s)|)\s*(.*)$/is;
const otherSpelling = /^(?:s[<>]|<[a-z-]+>|[<>=!])|<(?:in|or|all-in|range-in)>/i;
const comparisons = new Set([">=", "<=", ">", "<"]);

/** @throws Error that says what is wrong with it */
export function parseTextHint(text: string): Condition<string> {
  const { operator, values } = readExpression(text);
  if (comparisons.has(operator)) throw new Error(`"${text}": ${operator} compares sizes; a text takes =, !=, in, or`);
  const words = operator === "all-in" ? values.flatMap((value) => value.split(/\s+/)) : values;
  return { operator, values: words.map(normalize) };
}

/** @throws Error that says what is wrong with it */
export function parseSizeHint(text: string): Condition<number> {
  const { operator, values } = readExpression(text);
  if (operator === "in" || operator === "all-in" || /^\s*s[=!]/i.test(text)) {
    throw new Error(`"${text}": a size takes >=, <=, >, <, =, !=, or`);
  }
  return { operator, values: values.map((value) => readSize(value, text)) };
}

function readSize(value: string, text: string): number {
  // Ironic counts GiB, our other sizes count bytes: whoever writes a bare number means either.
  if (/^[\d.]+$/.test(value)) throw new Error(`"${text}" has no unit; write for example "${value} GiB"`);
  let bytes: number;
  try {
    bytes = parseSize(value);
  } catch {
    throw new Error(`"${text}" is not a size; write for example ">= 400 GB"`);
  }
  if (!Number.isSafeInteger(bytes) || bytes === 0) throw new Error(`"${text}": no disk is of that size`);
  return bytes;
}

function readExpression(text: string): Condition<string> {
  const [, spelled = "", rest = ""] = spelling.exec(text.trim()) ?? [];
  const word = spelled.toLowerCase();
  const operator = operators[word] ?? "=";
  const separator = word === "<or>" ? "<or>" : /\sor\s/i;
  const splits = word === "" || word === "or" || word === "<or>";
  const values = (splits ? rest.split(separator) : [rest]).map((value) => value.trim());
  if (values.some((value) => value === "")) throw new Error(`"${text}": a value is missing`);
  const odd = values.find((value) => otherSpelling.test(value));
  if (odd) {
    throw new Error(
      `"${text}": "${odd}" begins with or holds an operator that is not known here; known are =, !=, >=, <=, >, <, in, all-in, or`,
    );
  }
  return { operator, values };
}

const operators: Record<string, Condition<string>["operator"] | undefined> = {
  "s==": "=",
  "==": "=",
  "s!=": "!=",
  "!=": "!=",
  ">=": ">=",
  "<=": "<=",
  ">": ">",
  "<": "<",
  "<in>": "in",
  in: "in",
  "<all-in>": "all-in",
  "all-in": "all-in",
};

/** As Ironic compares: without regard to case. Vendors pad their models with blanks. */
function normalize(text: string): string {
  return text.trim().replace(/\s+/g, " ").toLowerCase();
}

/**
 * Whether a hint holds for what a disk says of itself: one value, or several where it goes by several names. A disk that
 * says nothing fulfils no hint, `!=` neither: nobody knows what it is.
 */
export function holds<Value extends string | number>(hint: Hint<Value>, found: readonly Value[]): boolean {
  const said = found
    .map((value) => (typeof value === "string" ? normalize(value) : value))
    .filter((value) => value !== "");
  return said.length > 0 && hint.some((condition) => isTrue(condition, said));
}

function isTrue({ operator, values }: Condition<string | number>, said: readonly (string | number)[]): boolean {
  switch (operator) {
    case "!=":
      return !values.some((value) => said.includes(value));
    case "=":
      return values.some((value) => said.includes(value));
    case "in":
    case "all-in":
      return said.some((own) => values.every((value) => String(own).includes(String(value))));
    default:
      return said.some((own) => values.some((value) => compare(Number(own), operator, Number(value))));
  }
}

function compare(own: number, operator: ">=" | "<=" | ">" | "<", value: number): boolean {
  if (own === value) return operator === ">=" || operator === "<=";
  return own > value === operator.startsWith(">");
}

/** The hint in the job's own words, for messages. */
export function formatHint<Value extends string | number>(hint: Hint<Value>, show: (value: Value) => string): string {
  return hint.map(({ operator, values }) => `${operator} ${values.map(show).join(" or ")}`).join(", or ");
}

/** The job's form of a hint: an expression, or a list of them of which one must hold. */
function hintSchema<Value extends string | number>(parse: (text: string) => Condition<Value>) {
  const expression = z.union([z.string().max(256), z.number()]).transform((value, context) => {
    try {
      return parse(typeof value === "string" ? value : quoted(value));
    } catch (error) {
      context.addIssue({ code: "custom", message: error instanceof Error ? error.message : String(error) });
      return z.NEVER;
    }
  });
  const list = z
    .array(expression)
    .min(1)
    .refine((conditions) => !conditions.some(({ operator }) => operator === "!="), {
      error: `in a list one of the hints must hold: with != in it, every disk would do`,
    });
  return z.union([expression.transform((condition) => [condition]), list]);
}

/** @throws Error always: a serial number without quotes has lost its leading zeros, a size its unit */
function quoted(value: number): never {
  throw new Error(`${value} is read as a number; write it in quotes, a size with its unit: "${value} GiB"`);
}

export const textHintSchema = hintSchema(parseTextHint);
export const sizeHintSchema = hintSchema(parseSizeHint);
