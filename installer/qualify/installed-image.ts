import { readFile } from "node:fs/promises";
import { Failure } from "../../common/failure.ts";
import { parseJson } from "../../common/parse-json.ts";
import { parseReference, type QualifiedImage } from "../../mirror/index.ts";
import { installedImagePath, installedImageSchema } from "../image-file.ts";

const arch = process.arch === "arm64" ? "arm64" : "amd64";

/**
 * What this server was installed from: what is given, or what the installation has left.
 * @param reference `debian-12@20261123.0`
 * @returns undefined where nothing says it
 * @throws Failure `image-unclear` (configuration)
 */
export async function findInstalledImage(reference?: string): Promise<QualifiedImage | undefined> {
  const left = await readLeft();
  if (reference === undefined) return left;
  const wanted = parseReference(reference);
  if (!("version" in wanted)) throw unclear(`${reference} names no version`);
  const isLeft = left?.name === wanted.name && left.version === wanted.version;
  return isLeft ? left : { name: wanted.name, arch, version: wanted.version };
}

async function readLeft(): Promise<QualifiedImage | undefined> {
  const text = await readFile(installedImagePath, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw unclear(`${installedImagePath} cannot be read: ${error.message}`);
  });
  if (text === undefined) return undefined;
  const parsed = installedImageSchema.safeParse(parseJson(text));
  if (!parsed.success) throw unclear(`${installedImagePath} is not as an installation writes it`);
  const { name, version, manifestSha256 } = parsed.data;
  return { name, arch, version, ...(manifestSha256 !== undefined && { manifestSha256 }) };
}

function unclear(reason: string): Failure {
  return new Failure({
    code: "image-unclear",
    kind: "configuration",
    message: `finding the image that this server was installed from: ${reason}`,
    hint: "write --image debian-12@20261123.0",
  });
}
