/**
 * The factory as a library: `import { build, findImage, loadCatalog } from "metalcast/factory"`.
 */
export { type BuildOptions, build } from "./build.ts";
export { type CatalogImage, findImage, loadCatalog } from "./catalog.ts";
export type { AptOverride, RhsmSubscription } from "./customize-run.ts";
export type { CustomizeChoice } from "./customize-way.ts";
export { fetchVendorImage, findVendorChecksum, type VendorChecksum, type VendorImage } from "./fetch.ts";
export { convertToDisk } from "./formats/convert-to-disk.ts";
export type { ConvertOptions } from "./formats/disk-format.ts";
export { type ImageFormat, imageFormatSchema } from "./image-format.ts";
export { type Inspection, inspect } from "./inspect.ts";
export type { Finding, Readiness } from "./inspect-findings.ts";
export type { BootSubject, BootTest } from "./nightly/boot-test.ts";
export type { NightlyImage } from "./nightly/night.ts";
export type { ImageReport, NightlySummary } from "./nightly/summary.ts";
export { type NightlyOptions, nightly } from "./nightly.ts";
export { findOwnCatalog } from "./own-catalog.ts";
export { type OwnImageReference, openOwnImage } from "./own-image.ts";
