import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Condition,
  holds,
  parseSizeHint,
  parseTextHint,
  sizeHintSchema,
  textHintSchema,
} from "../../installer/disk-hint.ts";

const gigabyte = 1e9;

describe("a text holds", () => {
  test.each([
    ["Samsung SSD 860", "samsung  ssd 860 ", true],
    ["Samsung SSD 860", "Samsung", false],
    ["s== Samsung SSD 860", "Samsung SSD 860", true],
    ["== a", "A", true],
    ["= a", "A", true],
    ["s!= a", "b", true],
    ["!= a", "A", false],
    ["<in> 860", "Samsung SSD 860", true],
    ["in 860", "Samsung SSD 860", true],
    ["in 870", "Samsung SSD 860", false],
    ["<all-in> ssd samsung", "Samsung SSD 860", true],
    ["all-in ssd intel", "Samsung SSD 860", false],
    ["<or> a <or> b c", "b c", true],
    ["a or b c", "B C", true],
    ["a or b", "c", false],
    ["s== a or b", "a or b", true],
    ["s== a or b", "a", false],
    ["in", "in", true],
    ["INTEL", "intel", true],
  ])("%s: %s: %s", (hint, found, expected) => {
    expect(holds([parseTextHint(hint)], [found])).toBe(expected);
  });
});

describe("a size holds", () => {
  test.each([
    [">= 400 GB", 400 * gigabyte, true],
    [">= 400 GB", 400 * gigabyte - 1, false],
    ["<= 400 GB", 400 * gigabyte, true],
    ["> 400 GB", 400 * gigabyte, false],
    ["< 400 GB", 399 * gigabyte, true],
    ["400 GB", 400 * gigabyte, true],
    ["= 400 GB", 401 * gigabyte, false],
    ["== 400 GB", 400 * gigabyte, true],
    ["!= 400 GB", 401 * gigabyte, true],
    ["<or> 400 GB <or> 1 TB", 1000 * gigabyte, true],
    ["400 GB or 1 TB", 500 * gigabyte, false],
  ])("%s: %d: %s", (hint, found, expected) => {
    expect(holds([parseSizeHint(hint)], [found])).toBe(expected);
  });
});

test.each([
  ["", /a value is missing/],
  ["<in> ", /a value is missing/],
  ["<or> a <or> ", /a value is missing/],
  [">= b", />= compares sizes/],
  ["s>= b", /operator that is not known/],
  ["=> b", /operator that is not known/],
  ["<range-in> [ 1 2 ]", /operator that is not known/],
  ["a <or> b", /operator that is not known/],
])("a text that is no hint: %j", (text, message) => {
  expect(() => parseTextHint(text)).toThrow(message);
});

test.each([
  ["60", /has no unit; write for example "60 GiB"/],
  [">= 60", /has no unit/],
  ["big", /is not a size/],
  ["in 60 GB", /a size takes/],
  ["s== 60 GB", /a size takes/],
  ["0 GB", /no disk is of that size/],
  ["99999999999999999999 TiB", /no disk is of that size/],
  [">= 400 GB or 1 TB", /is not a size/],
])("a text that is no size: %j", (text, message) => {
  expect(() => parseSizeHint(text)).toThrow(message);
});

test("what a disk does not say fulfils no hint", () => {
  for (const hint of ["a", "!= a", "in a"]) {
    expect(holds([parseTextHint(hint)], [])).toBe(false);
    expect(holds([parseTextHint(hint)], [""])).toBe(false);
  }
});

test("a disk that goes by several names is known by any of them, and != means none", () => {
  expect(holds([parseTextHint("b")], ["a", "b"])).toBe(true);
  expect(holds([parseTextHint("!= b")], ["a", "b"])).toBe(false);
});

test("in a job, a list means one of them", () => {
  expect(textHintSchema.parse(["a", "in b"])).toEqual([
    { operator: "=", values: ["a"] },
    { operator: "in", values: ["b"] },
  ]);
  expect(sizeHintSchema.parse("1 GB")).toEqual([{ operator: "=", values: [gigabyte] }]);
  for (const [schema, value] of [
    [textHintSchema, ["a", "!= b"]],
    [textHintSchema, []],
    [textHintSchema, 12_345],
    [sizeHintSchema, 60],
    [textHintSchema, "x".repeat(257)],
  ] as const) {
    expect(schema.safeParse(value).success).toBe(false);
  }
});

const plainText = fc
  .stringMatching(/^[A-Za-z0-9][A-Za-z0-9 _-]{0,20}$/)
  .map((text) => text.trim().replace(/\s+/g, " "));

test("any text, spelled with any operator, is a hint or a clear error, and s== takes it as it is", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 256, unit: fc.constantFrom(..."ab1 <>=!sinor-\t") }), (text) => {
      let hint: Condition<string>;
      try {
        hint = parseTextHint(text);
      } catch (error) {
        expect(String(error)).toMatch(/value is missing|compares sizes|not known/);
        return;
      }
      expect(hint.values.length).toBeGreaterThan(0);
      expect(hint.values.every((value) => value !== "")).toBe(true);
    }),
  );
  fc.assert(fc.property(plainText, (text) => holds([parseTextHint(`s== ${text}`)], [text])));
});

test("both spellings say the same", () => {
  fc.assert(
    fc.property(plainText, plainText, plainText, (a, b, found) => {
      for (const [own, ironic] of [
        [`in ${a}`, `<in> ${a}`],
        [`or ${a} or ${b}`, `<or> ${a} <or> ${b}`],
        [`= ${a}`, `s== ${a}`],
        [`!= ${a}`, `s!= ${a}`],
      ] as const) {
        fc.pre(!/\bor\b/i.test(a + b));
        expect(holds([parseTextHint(own)], [found])).toBe(holds([parseTextHint(ironic)], [found]));
      }
    }),
  );
});

test("of <, = and > exactly one holds, and the others follow", () => {
  const size = fc.integer({ min: 1, max: 2 ** 40 });
  fc.assert(
    fc.property(size, size, (wanted, found) => {
      const is = (operator: string) => holds([parseSizeHint(`${operator} ${wanted} B`)], [found]);
      expect([is("<"), is("="), is(">")].filter(Boolean)).toHaveLength(1);
      expect(is("<=")).toBe(!is(">"));
      expect(is(">=")).toBe(!is("<"));
      expect(is("!=")).toBe(!is("="));
    }),
  );
});
