import { access } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

/**
 * The folder of the user's own images: as given, else `METALCAST_CATALOG`, else `metalcast/catalog` in the user's
 * configuration folder (XDG Base Directory Specification), else /etc/metalcast/catalog, if there is one.
 * @returns undefined where the user has none
 */
export async function findOwnCatalog(
  given?: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<string | undefined> {
  const named = given ?? environment.METALCAST_CATALOG;
  if (named) return named;
  const configuration = environment.XDG_CONFIG_HOME || join(environment.HOME ?? homedir(), ".config");
  for (const directory of [join(configuration, "metalcast/catalog"), "/etc/metalcast/catalog"]) {
    if (
      await access(directory).then(
        () => true,
        () => false,
      )
    )
      return directory;
  }
  return undefined;
}
