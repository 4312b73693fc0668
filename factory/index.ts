/**
 * The factory as a library: `import { build, findImage, loadCatalog } from "metalcast/factory"`.
 */
export { type BuildOptions, build } from "./build.ts";
export { type CatalogImage, findImage, loadCatalog } from "./catalog.ts";
export type { AptOverride } from "./customize.ts";
