import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type PackOptions, pack } from "../../factory/pack.ts";
import type { Step } from "../../installer/step.ts";
import { DirectoryStore } from "../../mirror/directory-store.ts";
import { archiveName } from "../../mirror/manifest.ts";
import { publish } from "../../mirror/publish.ts";
import { makeSampleImage, sha256 as sha256Of } from "../mirror/sample-image.ts";

export type PlannedImage = Extract<Step, { kind: "lay-image" }>["image"];

/**
 * Packs a tree and publishes it to a directory store, with an invented manifest around it.
 * @param directory for the image and, below `mirror`, the store
 * @returns what a plan would say of it, for a mirror at the given URL
 */
export async function publishTree(
  { tree, latestTime, shardBytes }: Pick<PackOptions, "tree" | "latestTime" | "shardBytes">,
  directory: string,
  mirror: string,
): Promise<PlannedImage> {
  const image = join(directory, "image");
  const storeDirectory = join(directory, "mirror");
  await mkdir(image);
  await mkdir(storeDirectory);
  const { sizeBytes, sha256, ...packed } = await pack({
    tree,
    destination: join(image, archiveName),
    latestTime,
    ...(shardBytes !== undefined && { shardBytes }),
  });
  const files = [{ path: archiveName, sizeBytes, sha256 }];
  const manifest = JSON.stringify({ ...makeSampleImage().manifest, ...packed, files });
  await writeFile(join(image, "manifest.json"), manifest);
  const sums = `${sha256}  ${archiveName}\n${sha256Of(Buffer.from(manifest))}  manifest.json\n`;
  await writeFile(join(image, "SHA256SUMS"), sums);
  const published = await publish(new DirectoryStore(storeDirectory), image, { emit: () => undefined });
  const { name, version, prefix, manifestSha256 } = published;
  return { mirror, prefix, name, version, manifestSha256, unpackedBytes: packed.unpackedBytes };
}
