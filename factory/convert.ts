import type { Advance } from "../common/event.ts";
import { Failure } from "../common/failure.ts";
import { convertToRaw, openQcow2, Qcow2Error } from "./qcow2-parser/index.ts";

/**
 * Makes a raw disk of a vendor's qcow2 image.
 * @throws Failure `qcow2-` and the parser's own code (integrity)
 */
export async function convertToDisk(
  path: string,
  destination: string,
  { signal, advance }: { signal?: AbortSignal; advance?: Advance },
): Promise<void> {
  try {
    const image = await openQcow2(path);
    try {
      await convertToRaw(image, destination, { ...(signal && { signal }), ...(advance && { onProgress: advance }) });
    } finally {
      await image.close();
    }
  } catch (error) {
    if (!(error instanceof Qcow2Error)) throw error;
    throw new Failure({
      code: `qcow2-${error.code}`,
      kind: "integrity",
      message: `reading the vendor image ${path}: ${error.message}`,
      hint: error.hint ?? "only an image that holds all of its own data, whole and in the clear, is taken",
      data: error.data,
      cause: error,
    });
  }
}
