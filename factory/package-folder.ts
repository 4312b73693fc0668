import { findPackageJSON } from "node:module";
import { dirname, join } from "node:path";
import { Failure } from "../common/failure.ts";

/** A folder of data in our package, wherever the code that asks lies: beside it, or compiled in dist/. */
export function packageFolder(path: string): string {
  const description = findPackageJSON(import.meta.url);
  if (description !== undefined) return join(dirname(description), path);
  throw new Failure({
    code: "package-incomplete",
    kind: "configuration",
    message: `looking for ${path}: the code is not in its package any more`,
    hint: "install metalcast again",
  });
}
