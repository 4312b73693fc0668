export { type ConvertOptions, type ConvertResult, convertToRaw } from "./convert.ts";
export { Qcow2Error, type Qcow2ErrorCode } from "./error.ts";
export { type OpenOptions, openQcow2, type Qcow2Extent, type Qcow2Image, type Qcow2Info } from "./image.ts";
export type { Qcow2Source } from "./source.ts";
