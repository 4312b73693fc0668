import { resolve } from "node:path";
import type { CatalogImage } from "./catalog.ts";
import { type CustomizeOptions, runPacker } from "./customize-run.ts";
import type { MountNamespace } from "./namespace.ts";

export interface CustomizeTreeOptions extends CustomizeOptions {
  namespace: MountNamespace;
  /** The mounted tree, as a path inside the namespace. */
  tree: string;
}

/**
 * Runs the family's provisioning scripts in the tree, each in a fenced chroot.
 * @throws Failure `customize-failed` (failed) with the failing script's last lines, `programs-missing`, `interrupted`
 */
export async function customizeTree(image: CatalogImage, options: CustomizeTreeOptions): Promise<void> {
  const { namespace, tree, apt, rhsm } = options;
  await runPacker(image, {
    ...options,
    way: "chroot",
    start: (program, args, runOptions) => namespace.run(program, args, runOptions),
    variables: {
      tree,
      apt_sources: absolute(apt?.sources),
      apt_configuration: absolute(apt?.configuration),
      activation_key_file: absolute(rhsm?.activationKeyFile),
    },
  });
}

/** Packer runs in another folder than we do. @returns an empty text for no file */
function absolute(file: string | undefined): string {
  return file === undefined ? "" : resolve(file);
}
