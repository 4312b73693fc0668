import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { placeBootMatrix, readBootResults } from "./e2e/matrix/boot-results.ts";

test("the table of boots is what the matrix's last run came to", async () => {
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  expect(readme).toBe(placeBootMatrix(readme, readBootResults()));
});
