import { resolve } from "node:path";
import type { BuildOptions } from "./build.ts";
import { verificationOf, verificationWords } from "./image-verification.ts";

/** What a build would do, as `build --dry-run` prints it. */
export interface BuildOutline {
  image: string;
  /** A URL, or a file of this machine. */
  source: string;
  verifiedBy: string;
  format: string;
  customize: string;
  /** Beyond what the family's packages are. */
  packages: { add: readonly string[]; remove: readonly string[] };
  output: string;
}

export function outlineBuild(
  options: Pick<BuildOptions, "image" | "output" | "source" | "format" | "customize">,
): BuildOutline {
  const { image, output, source, format = image.format, customize = { way: "chroot" } } = options;
  const vendor = image.source.kind === "supplied" ? `${image.source.supplied} (you bring the file)` : image.source.url;
  return {
    image: image.name,
    source: source === undefined ? vendor : resolve(source),
    verifiedBy: verificationWords[source === undefined ? verificationOf(image) : "supplied"],
    format,
    customize: customize.way,
    packages: image.packages,
    output: resolve(output),
  };
}

export function describeBuild(outline: BuildOutline): string {
  const { image, source, verifiedBy, format, customize, packages, output } = outline;
  const rows = [
    ["image", image],
    ["source", source],
    ["verified by", verifiedBy],
    ["format", format],
    ["customize", customize],
    ["add", packages.add.join(" ")],
    ["remove", packages.remove.join(" ")],
    ["output", output],
  ];
  return rows
    .filter(([, value]) => value !== "")
    .map(([name = "", value]) => `${name.padEnd(12)}${value}`)
    .join("\n");
}
