import { Failure } from "../../common/failure.ts";

/** A value of LVM2's metadata text: lvm.conf(5) describes the syntax, which the metadata shares. */
export type LvmValue = number | string | readonly LvmValue[] | LvmSection;
export type LvmSection = ReadonlyMap<string, LvmValue>;

/** Volume groups need three levels. */
const maximumDepth = 8;
const token = /\s+|#[^\n]*|"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+|[A-Za-z_+.-][\w+.-]*|[[\]{}=,]/y;

/**
 * Parses `name = value` and `name { ... }`, where values are whole numbers, quoted strings and lists of these.
 * @throws Failure `lvm-invalid` (integrity)
 */
export function parseLvmText(text: string): LvmSection {
  const tokens = tokenize(text);
  const section = parseSection(tokens, 0);
  if (tokens.next !== undefined) throw invalidLvm(`unexpected ${tokens.next}`);
  return section;
}

export function invalidLvm(reason: string): Failure {
  return new Failure({
    code: "lvm-invalid",
    kind: "integrity",
    message: `reading LVM metadata: ${reason}`,
    hint: "the image is damaged or was made to mislead: get it again from its vendor",
  });
}

interface Tokens {
  /** The token to come, undefined at the end. */
  next: string | undefined;
  /** Takes it. */
  take: () => string;
}

function tokenize(text: string): Tokens {
  let position = 0;
  const read = () => {
    while (position < text.length) {
      token.lastIndex = position;
      const [found] = token.exec(text) ?? [];
      if (found === undefined) throw invalidLvm(`byte ${position} belongs to no word`);
      position += found.length;
      if (!/^[\s#]/.test(found)) return found;
    }
    return undefined;
  };
  const tokens: Tokens = {
    next: read(),
    take: () => {
      const taken = tokens.next;
      if (taken === undefined) throw invalidLvm("it ends too early");
      tokens.next = read();
      return taken;
    },
  };
  return tokens;
}

function parseSection(tokens: Tokens, depth: number): LvmSection {
  if (depth > maximumDepth) throw invalidLvm("its sections are nested too deeply");
  const section = new Map<string, LvmValue>();
  while (tokens.next !== undefined && tokens.next !== "}") {
    const name = tokens.take();
    if (!/^[\w+.-]/.test(name)) throw invalidLvm(`${name} stands where a name should`);
    if (section.has(name)) throw invalidLvm(`${name} is there twice`);
    const sign = tokens.take();
    if (sign === "=") section.set(name, parseValue(tokens, depth));
    else if (sign === "{") {
      section.set(name, parseSection(tokens, depth + 1));
      tokens.take();
    } else throw invalidLvm(`${sign} follows ${name}`);
  }
  return section;
}

function parseValue(tokens: Tokens, depth: number): LvmValue {
  const first = tokens.take();
  if (first === "[") return parseList(tokens, depth + 1);
  if (first.startsWith('"')) return first.slice(1, -1).replace(/\\(.)/gs, "$1");
  const number = Number(first);
  if (!/^-?\d+$/.test(first) || !Number.isSafeInteger(number)) throw invalidLvm(`${first} is no value`);
  return number;
}

function parseList(tokens: Tokens, depth: number): LvmValue[] {
  if (depth > maximumDepth) throw invalidLvm("its lists are nested too deeply");
  const values: LvmValue[] = [];
  while (tokens.next !== "]") {
    values.push(parseValue(tokens, depth));
    if (tokens.next === ",") tokens.take();
    else if (tokens.next !== "]") throw invalidLvm("a list does not end");
  }
  tokens.take();
  return values;
}
