import { build } from "../../factory/build.ts";
import { findImage, loadCatalog } from "../../factory/catalog.ts";

/** A program of its own for build.test.ts to kill: builds an image and prints what the scripts say. */
const [source = "", checksum = "", output = "", template = ""] = process.argv.slice(2);
await build({
  image: findImage(await loadCatalog(), "debian-12"),
  source,
  checksum,
  output,
  template,
  emit: (event) => event.kind === "note" && process.stdout.write(`${event.text}\n`),
});
