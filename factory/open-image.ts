import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Emit, reportStep } from "../common/event.ts";
import { type MountedTree, mountTree } from "./disk/mount-tree.ts";
import { createWorkTree, unpackArchive, workTreeBytes } from "./disk/work-tree.ts";
import { convertToDisk } from "./formats/convert-to-disk.ts";
import { readArchive } from "./formats/read-archive.ts";
import { type ImageFormat, isArchive } from "./image-format.ts";
import { MountNamespace } from "./namespace.ts";

/** An image file that nobody else changes while it is open. */
export interface ImageFile {
  path: string;
  format: ImageFormat;
}

export interface OpenImageOptions {
  /** A folder to work in, with room for all that the image holds. */
  scratch: string;
  emit: Emit;
  signal?: AbortSignal | undefined;
}

/** A hostile image's root file system as one tree, which nobody else sees and which ends with this. */
export interface OpenedImage extends AsyncDisposable {
  namespace: MountNamespace;
  /** The tree inside the namespace. */
  directory: string;
  /** The tree as this process sees it. */
  tree: string;
  /** What was found on the disk, and is mounted read-only. An archive has none, and was unpacked. */
  disk: MountedTree | undefined;
  /** Bytes that the tree takes up where it lies, perhaps compressed. */
  usedBytes: number;
}

/**
 * Opens an image in its declared format.
 * @throws Failure of `convertToDisk` and `mountTree`, or of `readArchive` and `unpackArchive`
 */
export async function openImage(image: ImageFile, options: OpenImageOptions): Promise<OpenedImage> {
  const { scratch } = options;
  const directory = join(scratch, "image");
  await mkdir(directory, { recursive: true });
  await using scope = new AsyncDisposableStack();
  const namespace = scope.use(await MountNamespace.open());
  const { disk, usedBytes } = await (isArchive(image.format) ? unpack : mount)(image, namespace, directory, options);
  const held = scope.move();
  const dispose = () => held.disposeAsync();
  return { namespace, directory, tree: namespace.path(directory), disk, usedBytes, [Symbol.asyncDispose]: dispose };
}

async function mount(image: ImageFile, namespace: MountNamespace, directory: string, options: OpenImageOptions) {
  const { scratch, emit, signal } = options;
  const interruptible = signal ? { signal } : {};
  const raw = join(scratch, "disk.raw");
  await reportStep(emit, { step: "convert", title: `Read the disk from its ${image.format}` }, (advance) =>
    convertToDisk(image.path, image.format, raw, { ...interruptible, advance }),
  );
  const disk = await reportStep(emit, { step: "mount", title: "Find and mount its file systems" }, () =>
    mountTree(raw, { namespace, directory, scratch: join(scratch, "volumes"), ...interruptible }),
  );
  return { disk, usedBytes: disk.usedBytes };
}

async function unpack(image: ImageFile, namespace: MountNamespace, directory: string, options: OpenImageOptions) {
  const { scratch, emit, signal } = options;
  const interruptible = signal ? { signal } : {};
  const { size: usedBytes } = await stat(image.path);
  if (!isArchive(image.format)) throw new Error(`${image.format} is not an archive`);
  const { format } = image;
  await reportStep(
    emit,
    { step: "unpack", title: `Unpack the root file system from its ${format}` },
    async (advance) => {
      const file = join(scratch, "unpacked.ext4");
      await createWorkTree({ namespace, file, directory, sizeBytes: workTreeBytes(usedBytes), ...interruptible });
      const bytes = readArchive(image.path, format, { ...interruptible, advance });
      await unpackArchive(namespace, bytes, directory, interruptible);
    },
  );
  return { disk: undefined, usedBytes };
}
