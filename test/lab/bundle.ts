import { type BuildOptions, build } from "esbuild";

/** A program and all that it imports as one file: Node under an emulated processor starts quickly, and nothing else has to be there. */
export async function bundle(program: Pick<BuildOptions, "entryPoints" | "stdin" | "external">): Promise<string> {
  const { outputFiles } = await build({
    ...program,
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    target: "node24",
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  });
  return outputFiles.map(({ text }) => text).join("");
}
