import type { Command } from "commander";
import { action } from "../common/command-line.ts";
import { formatTable } from "../common/table.ts";
import { type CatalogImage, loadCatalog } from "./catalog.ts";
import { verificationOf, verificationWords } from "./image-verification.ts";
import { findOwnCatalog } from "./own-catalog.ts";

const testedWords = { boot: "booted here", recipe: "recipe only" } as const;
const originWords = { "built-in": "built-in", own: "yours", override: "yours, in place of ours" } as const;

/** The verb `images`. */
export function addImagesCommand(program: Command): void {
  program
    .command("images")
    .description("list the images that can be built")
    .option("--catalog <directory>", "a folder of image files of your own; default: see docs/catalog.md")
    .action(
      action<{ catalog?: string }>(async ({ print }, { catalog }) => {
        const images = [...(await loadCatalog(await findOwnCatalog(catalog))).values()];
        const head = ["image", "family", "format", "license", "verified by", "tested", "catalog", "source"];
        print(images.map(describe), formatTable(head, images.map(row)));
      }),
    );
}

function describe(image: CatalogImage) {
  const { keyFolders: _, ...shown } = image;
  return { ...shown, verification: verificationOf(image) };
}

function row(image: CatalogImage): string[] {
  const { name, family, format, license, tested, origin, source } = image;
  return [
    name,
    family,
    format,
    license,
    verificationWords[verificationOf(image)],
    testedWords[tested],
    originWords[origin],
    source.kind === "supplied" ? `${source.supplied} (you bring the file)` : source.url,
  ];
}
