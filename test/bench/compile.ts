import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

/**
 * Makes JavaScript of a script of this folder, as it is in the package: Node takes its time to strip types, which no
 * user waits for.
 * @param directory a new one, for the result
 * @returns the path of what Node is to run
 */
export async function compile(name: string, directory: string): Promise<string> {
  await symlink(join(import.meta.dirname, "../../node_modules"), join(directory, "node_modules"));
  await build({
    entryPoints: [join(import.meta.dirname, `${name}.ts`)],
    outdir: directory,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    // What is imported late is loaded late.
    splitting: true,
    packages: "external",
    format: "esm",
    platform: "node",
    target: "node24",
  });
  return join(directory, `${name}.mjs`);
}
