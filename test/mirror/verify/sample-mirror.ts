import { publish } from "../../../mirror/publish.ts";
import type { Store } from "../../../mirror/store.ts";
import { sync } from "../../../mirror/sync/sync.ts";
import { signWith } from "../../../mirror/trust/open-mirror.ts";
import { fileDirectory } from "../../file-directory.ts";
import { type SampleImage, temporaryDirectory, writeSampleImage } from "../sample-image.ts";
import { MemoryStore } from "../sync/memory-store.ts";
import { sampleVersion, versionPrefix } from "../sync/unsigned-mirror.ts";
import { newMirror } from "../trust/new-mirror.ts";

const emit = () => undefined;

const first = sampleVersion("20261121.0");
export const second = sampleVersion("20261122.0");
const other = sampleVersion("20261121.0", "rocky-9", "arm64");
export const [firstPrefix, secondPrefix, otherPrefix] = [first, second, other].map(versionPrefix);

export async function publishSample(mirror: Store, image: SampleImage, channel = "stable"): Promise<void> {
  await using directory = await temporaryDirectory();
  await writeSampleImage(directory.path, image);
  await publish(mirror, directory.path, { emit, channel });
}

/** A signed mirror of three versions, in the store as a sync has left it, and another copy. */
export async function openSampleMirror<Kind extends Store>(store: Kind) {
  const origin = new MemoryStore();
  const { ring, root, mirror } = await newMirror(origin, {
    directory: fileDirectory,
    images: ["debian-12", "rocky-9"],
  });
  for (const image of [first, second, other]) await publishSample(mirror, image);
  const copy = new MemoryStore();
  for (const to of [store, copy]) await sync(origin, to, { emit, retryDelayMs: 1 });
  return { ring, root, mirror: await signWith(ring, store), store, copy };
}

/** Puts other content in an object's place, which only a disk or somebody with its rights does. */
export async function overwrite(store: Store, key: string, change: (bytes: Buffer) => Uint8Array): Promise<void> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of store.read(key)) chunks.push(chunk);
  await store.remove(key);
  await store.write(key, change(Buffer.concat(chunks)));
}

/** One bit is another. */
export const flip = (bytes: Buffer) => {
  const middle = bytes.byteLength >> 1;
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  return bytes;
};

export const cut = (bytes: Buffer) => bytes.subarray(0, -1);
