import { basename } from "node:path";
import { Failure } from "../common/failure.ts";
import { formatOfName, type ImageFormat, imageFormatSchema } from "./image-format.ts";

/**
 * The format of a file that a person names: said in words, or by the file's name.
 * @throws Failure `format-undeclared` (configuration): nothing is guessed from the bytes
 */
export function declaredFormat(file: string, said: string | undefined): ImageFormat {
  const format = said === undefined ? formatOfName(file) : imageFormatSchema.safeParse(said).data;
  if (format !== undefined) return format;
  const problem = said === undefined ? "its name does not say what format it has" : `"${said}" is no known format`;
  throw new Failure({
    code: "format-undeclared",
    kind: "configuration",
    message: `opening ${basename(file)}: ${problem}, and formats are not guessed`,
    hint: `say what its vendor says: ${imageFormatSchema.options.join(", ")}`,
  });
}
