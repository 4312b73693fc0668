import { expect } from "vitest";
import { readShard } from "../../../mirror/frames.ts";
import { publish } from "../../../mirror/publish.ts";
import { resolveImage } from "../../../mirror/resolve.ts";
import type { Store } from "../../../mirror/store.ts";
import { signWith } from "../../../mirror/trust/open-mirror.ts";
import { TrustedReader } from "../../../mirror/trust/reader.ts";
import { SignedStore } from "../../../mirror/trust/signed-store.ts";
import { fileDirectory } from "../../file-directory.ts";
import { collect } from "../gather.ts";
import { makeSampleImage, temporaryDirectory, writeSampleImage } from "../sample-image.ts";
import { newMirror } from "../trust/new-mirror.ts";
import type { FaultyS3 } from "./faulty-s3.ts";

const frameSizes = [[700], [5000], [700]];
/** The third one is not published yet. */
export const versions = ["20261121.0", "20261122.0", "20261123.0"] as const;
const images = new Map(versions.map((version) => [version as string, makeSampleImage({ version, frameSizes })]));
const emit = () => undefined;

export async function publishVersion(mirror: Store, version: string, channel = "stable") {
  await using directory = await temporaryDirectory();
  await writeSampleImage(directory.path, images.get(version) ?? expect.unreachable());
  return await publish(mirror, directory.path, { emit, channel, retryDelayMs: 1 });
}

/** A mirror with two versions on a real server, which stable and candidate name. */
export async function openMirrorOfTwo(s3: FaultyS3) {
  const opened = await s3.open();
  const { ring, root, mirror } = await newMirror(opened.store, { directory: fileDirectory, images: ["debian-12"] });
  await publishVersion(mirror, versions[0]);
  await publishVersion(mirror, versions[1], "candidate");
  return { ...opened, ring, root, mirror, faultyMirror: await signWith(ring, opened.faulty) };
}

/** Reads what a channel names, to its last byte, as one who has only the root. @returns the version */
export async function readAll(store: Store, root: string, channel = "stable"): Promise<string> {
  const reader = new SignedStore(store, new TrustedReader(store, Buffer.from(root)));
  const { manifest, prefix } = await resolveImage(reader, `debian-12:${channel}`, { arch: "amd64" });
  const plain = await collect(readShard(reader, `${prefix}image.tar.zst`, manifest, 1));
  expect(plain.equals(images.get(manifest.version)?.shards[1] ?? Buffer.of())).toBe(true);
  return manifest.version;
}
