import { z } from "zod";
import { Secret } from "../../common/secret.ts";

const fileSchema = z.record(z.string(), z.unknown());

/** Files by the field that names them, and the field that their content is. */
const secretFiles: Readonly<Record<string, string>> = {
  activationKeyFile: "activationKey",
  passwordFile: "password",
  tokenFile: "token",
  registrationCodeFile: "registrationCode",
};

/**
 * Puts the content of files in the place of their paths. What has another form is left as it is: the schema tells what is
 * wrong with it.
 * @param license the job file's `license`
 * @param readText reads a file that the job names; `what` is the field, for messages
 */
export async function inlineLicense(
  license: unknown,
  readText: (path: string, what: string) => Promise<string>,
  field = "license",
): Promise<unknown> {
  const given = fileSchema.safeParse(license);
  if (!given.success || Array.isArray(license)) return license;
  const inlined = Object.entries(given.data).map(async ([name, value]): Promise<[string, unknown]> => {
    const what = `${field}.${name}`;
    const secret = secretFiles[name];
    if (typeof value !== "string") return [name, await inlineLicense(value, readText, what)];
    if (secret !== undefined) return [secret, new Secret((await readText(value, what)).trim())];
    return name === "caFile" ? ["ca", await readText(value, what)] : [name, value];
  });
  return Object.fromEntries(await Promise.all(inlined));
}
