import { readFile, writeFile } from "node:fs/promises";
import { placeBootMatrix, readBootResults } from "./boot-results.ts";

/** Puts the results of the last runs into the README. */
const readme = new URL("../../../README.md", import.meta.url);
await writeFile(readme, placeBootMatrix(await readFile(readme, "utf8"), readBootResults()));
