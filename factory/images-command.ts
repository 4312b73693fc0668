import type { Command } from "commander";
import { action } from "../common/command-line.ts";
import { formatTable } from "../common/table.ts";
import { type CatalogImage, loadCatalog } from "./catalog.ts";
import { findOwnCatalog } from "./own-catalog.ts";

/** What an image is verified against, by the manifest's names, and by words for people. */
const verifications = {
  signature: "signed checksum",
  "checksum-file": "vendor's checksum",
  "pinned-checksum": "pinned checksum",
  supplied: "your --checksum",
} as const;

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

function verification({ source }: CatalogImage): keyof typeof verifications {
  if (source.kind === "supplied") return "supplied";
  if (source.kind === "pinned") return "pinned-checksum";
  return source.key === undefined ? "checksum-file" : "signature";
}

function describe(image: CatalogImage) {
  const { keyFolders: _, ...shown } = image;
  return { ...shown, verification: verification(image) };
}

function row(image: CatalogImage): string[] {
  const { name, family, format, license, tested, origin, source } = image;
  return [
    name,
    family,
    format,
    license,
    verifications[verification(image)],
    testedWords[tested],
    originWords[origin],
    source.kind === "supplied" ? `${source.supplied} (you bring the file)` : source.url,
  ];
}
