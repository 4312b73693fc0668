import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";

/** cli -> factory | installer -> mirror -> common; qcow2-parser stands alone. */
const mayImport: Record<string, readonly string[]> = {
  "cli.ts": ["factory", "installer", "mirror", "common", "command"],
  command: ["factory", "installer", "mirror", "common"],
  factory: ["factory/qcow2-parser", "mirror", "common"],
  "factory/qcow2-parser": [],
  installer: ["mirror", "common"],
  mirror: ["common"],
  common: [],
};

const partOf = (file: string) =>
  file.startsWith("factory/qcow2-parser/") ? "factory/qcow2-parser" : (file.split("/")[0] ?? file);

const sources = globSync(["cli.ts", "{command,common,factory,installer,mirror}/**/*.ts"]);

test("there are sources to look at", () => {
  expect(sources.length).toBeGreaterThan(20);
});

test.each(sources)("%s imports only downwards", (file) => {
  const part = partOf(file);
  const imported = [...readFileSync(file, "utf8").matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)]
    .map(([, path = ""]) => partOf(normalize(join(dirname(file), path))))
    .filter((other) => other !== part);
  for (const other of imported) expect(mayImport[part], `${file} imports ${other}`).toContain(other);
});
