import { describe, expect, test } from "vitest";
import type { CatalogImage } from "../../factory/catalog.ts";
import { nextVersion } from "../../factory/nightly/next-version.ts";
import { findReasons, type Ingredients } from "../../factory/nightly/reasons.ts";
import { countBuilds } from "../../factory/nightly/room.ts";
import { digestRecipe } from "../../factory/recipe-digest.ts";
import { nightlyImage } from "./nightly-image.ts";

const day = 86_400_000;
const now = new Date("2026-11-24T03:00:00Z");
const same: Ingredients = {
  checksum: "sha512:aa",
  templateSha256: "1".repeat(64),
  recipeSha256: "2".repeat(64),
};
const published = {
  source: { url: "https://vendor.example.net/a.qcow2", checksum: same.checksum, verifiedBy: "signature" },
  build: {
    date: "2026-11-20T03:00:00Z",
    templateSha256: same.templateSha256,
    recipeSha256: same.recipeSha256,
    tools: {},
  },
} as const;

test.each<[string, Partial<Ingredients>, { maxAgeMs?: number; force?: boolean }, string[]]>([
  ["nothing changed", {}, {}, []],
  ["younger than maxAge", {}, { maxAgeMs: 7 * day }, []],
  ["another vendor image", { checksum: "sha512:bb" }, {}, ["vendor image changed"]],
  ["another template or script", { templateSha256: "3".repeat(64) }, {}, ["template changed"]],
  [
    "another catalog entry",
    { recipeSha256: "3".repeat(64) },
    {},
    ["package lists or other parts of the catalog entry changed"],
  ],
  ["as old as maxAge", {}, { maxAgeMs: 4 * day }, ["older than maxAge 4d: security updates"]],
  ["a maxAge of hours", {}, { maxAgeMs: day / 2 }, ["older than maxAge 720 min 00 s: security updates"]],
  ["forced", {}, { force: true }, ["forced"]],
  [
    "all at once",
    { checksum: "sha512:bb", templateSha256: "3".repeat(64) },
    { force: true, maxAgeMs: day },
    ["forced", "vendor image changed", "template changed", "older than maxAge 1d: security updates"],
  ],
])("%s", (_, changes, options, texts) => {
  const reasons = findReasons(published, { ...same, ...changes }, { now, ...options });
  expect(reasons.map(({ text }) => text)).toEqual(texts);
});

test("an image that was never published is built", () => {
  expect(findReasons(undefined, same, { now })).toEqual([{ code: "never-published", text: "never published" }]);
});

test("a version of the time before recipes were recorded is built again", () => {
  const { recipeSha256: _, ...build } = published.build;
  expect(findReasons({ ...published, build }, same, { now }).map(({ code }) => code)).toEqual(["recipe-changed"]);
});

describe("the recipe's digest", () => {
  const image = nightlyImage("debian-12");
  const digest = digestRecipe(image);

  test.each<[string, Partial<CatalogImage>]>([
    ["packages", { packages: { add: ["htop"], remove: [] } }],
    ["components", { components: ["non-free"] }],
    [
      "source",
      { source: { kind: "pinned", url: "https://vendor.example.net/b", checksum: `sha256:${"0".repeat(64)}` } },
    ],
    ["format", { format: "raw.xz" }],
  ])("changes with its %s", (_, changes) => {
    expect(digestRecipe({ ...image, ...changes })).not.toBe(digest);
  });

  test("is that of what is made, not of how it is shown or where it was read", () => {
    const moved: CatalogImage = {
      ...image,
      title: "Another",
      tested: "recipe",
      file: "/x.yaml",
      origin: "own",
      keyFolders: ["/k"],
    };
    expect(digestRecipe(moved)).toBe(digest);
    expect(
      digestRecipe(
        Object.assign(
          {},
          ...Object.entries(image)
            .reverse()
            .map(([name, value]) => ({ [name]: value })),
        ),
      ),
    ).toBe(digest);
  });
});

describe("the next version", () => {
  test.each<[string, string[], string]>([
    ["of an image without any", [], "20261124.0"],
    ["of a new day", ["20261123.0", "20261123.4"], "20261124.0"],
    ["of a day that has some", ["20261124.0", "20261123.7"], "20261124.1"],
    ["is no gap's: those after it would be newer", ["20261124.0", "20261124.3"], "20261124.4"],
    ["counts, and does not spell", ["20261124.9", "20261124.10"], "20261124.11"],
    ["does not mind what is no version", ["latest", "20261124.x", "99999999"], "20261124.0"],
  ])("%s", (_, taken, expected) => {
    expect(nextVersion(taken, "20261124", "debian-12")).toBe(expected);
  });

  test("does not go back in time", () => {
    expect(() => nextVersion(["20261125.0"], "20261124", "debian-12")).toThrow(
      expect.objectContaining({ code: "clock-behind", kind: "configuration" }),
    );
  });
});

describe("builds at a time", () => {
  const limits = { parallel: 4, diskPerBuildBytes: 10, memoryPerBuildBytes: 2 };
  test.each([
    ["as many as are wanted", { diskBytes: 100, memoryBytes: 100 }, 4],
    ["as the disk has room for", { diskBytes: 39, memoryBytes: 100 }, 3],
    ["as memory has room for", { diskBytes: 100, memoryBytes: 5 }, 2],
    ["one, however little memory there is", { diskBytes: 100, memoryBytes: 1 }, 1],
  ])("%s", (_, room, expected) => {
    expect(countBuilds(limits, room)).toBe(expected);
  });

  test("none without the disk for it", () => {
    expect(() => countBuilds(limits, { diskBytes: 9, memoryBytes: 100 })).toThrow(
      expect.objectContaining({ code: "room-missing", kind: "configuration" }),
    );
  });
});
