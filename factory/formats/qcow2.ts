import { Failure } from "../../common/failure.ts";
import { convertToRaw, openQcow2, Qcow2Error, type Qcow2Image } from "../qcow2-parser/index.ts";
import type { DiskFormat } from "./disk-format.ts";

/** @throws Failure `qcow2-` and the parser's own code (integrity; failed where our own side failed) */
export const qcow2: DiskFormat = {
  describe: (path) =>
    withImage(path, undefined, async ({ info: { virtualSizeBytes, fileSizeBytes, ...details } }) => ({
      format: "qcow2",
      fileSizeBytes,
      virtualSizeBytes,
      details,
    })),

  convert: (path, destination, { signal, advance, maximumBytes }) =>
    withImage(path, maximumBytes, async (image) => {
      await convertToRaw(image, destination, { ...(signal && { signal }), ...(advance && { onProgress: advance }) });
    }),
};

async function withImage<T>(
  path: string,
  maximumVirtualBytes: number | undefined,
  use: (image: Qcow2Image) => Promise<T>,
): Promise<T> {
  try {
    const image = await openQcow2(path, maximumVirtualBytes === undefined ? {} : { maximumVirtualBytes });
    try {
      return await use(image);
    } finally {
      await image.close();
    }
  } catch (error) {
    throw error instanceof Qcow2Error ? asFailure(path, error) : error;
  }
}

function asFailure(path: string, error: Qcow2Error): Failure {
  if (error.code === "open-failed") {
    return new Failure({
      code: "image-unreadable",
      kind: "configuration",
      message: error.message,
      hint: "name a regular file that you may read",
      cause: error,
    });
  }
  const isOurs = error.code === "write-failed" || error.code === "read-failed";
  return new Failure({
    code: `qcow2-${error.code}`,
    kind: isOurs ? "failed" : "integrity",
    message: `reading the vendor image ${path}: ${error.message}`,
    hint: error.hint ?? "only an image that holds all of its own data, whole and in the clear, is taken",
    data: error.data,
    cause: error,
  });
}
