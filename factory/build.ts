import { join } from "node:path";
import { type Emit, note, reportOperation, reportStep } from "../common/event.ts";
import { Failure } from "../common/failure.ts";
import { archiveName, type Manifest } from "../mirror/manifest.ts";
import type { CatalogImage } from "./catalog.ts";
import { convertToDisk } from "./convert.ts";
import { type AptOverride, customize, digestTemplate } from "./customize.ts";
import { readFacts } from "./facts.ts";
import { fetchVendorImage, type VendorImage, verifyLocalImage } from "./fetch.ts";
import { MountNamespace } from "./namespace.ts";
import { pack } from "./pack.ts";
import { assertRequirements } from "./requirements.ts";
import { extractRootFileSystem } from "./root-filesystem.ts";
import { readToolVersions } from "./tool-versions.ts";
import { Workspace } from "./workspace.ts";
import { createManifest, writeImage } from "./write-image.ts";

export interface BuildOptions {
  image: CatalogImage;
  /** Folder to make: the published image. Must not exist. Beside it the build works, with room for the whole disk. */
  output: string;
  /** A vendor image on this machine, in place of the download. Needs `checksum`. */
  source?: string;
  /** `sha512:DIGEST` of `source`. */
  checksum?: string;
  /** Default: today's date in UTC and `.0`. */
  version?: string;
  /** Folder of verified downloads. */
  cache?: string;
  /** What apt uses during the build only. */
  apt?: AptOverride;
  /** Folder of the Packer template, for a template of one's own. */
  template?: string;
  emit: Emit;
  signal?: AbortSignal;
}

/**
 * Makes a published image of a vendor's: fetch and verify, convert, take out the root file system, customize through
 * Packer, read what came of it, pack. After a failure nothing is left: no output, mount, loop device or process.
 * @returns the output's absolute path, and the manifest that lies in it
 * @throws Failure, those of each step
 */
export async function build(options: BuildOptions): Promise<{ directory: string; manifest: Manifest }> {
  const { image, output, emit, signal, template } = options;
  const interruptible = signal ? { signal } : {};
  return reportOperation(emit, { operation: "build", subject: image.name }, async () => {
    await assertRequirements();
    const date = new Date();
    await using workspace = await Workspace.open(output);
    const disk = workspace.path("disk.raw");
    const rootFileSystem = workspace.path("root.ext4");
    const mountPoint = workspace.path("tree");

    const vendor = await reportStep(emit, { step: "fetch", title: "Fetch and verify the vendor image" }, (advance) =>
      obtainVendorImage(options, { ...interruptible, advance }),
    );
    await reportStep(emit, { step: "convert", title: "Convert it to a raw disk" }, (advance) =>
      convertToDisk(vendor.path, disk, { ...interruptible, advance }),
    );
    await reportStep(emit, { step: "extract", title: "Take out the root file system" }, () =>
      extractRootFileSystem(disk, rootFileSystem, signal),
    );

    await using namespace = await MountNamespace.open();
    await namespace.mount(rootFileSystem, mountPoint);
    const tree = namespace.path(mountPoint);
    await reportStep(emit, { step: "customize", title: "Customize it for metal" }, () =>
      customize(image, {
        namespace,
        tree: mountPoint,
        scratch: workspace.path("packer"),
        onText: (text) => note(emit, text),
        ...(options.apt && { apt: options.apt }),
        ...(template === undefined ? {} : { template }),
        ...interruptible,
      }),
    );
    const facts = await reportStep(emit, { step: "inspect", title: "Read what it holds" }, () => readFacts(tree));
    const packed = await reportStep(emit, { step: "pack", title: "Pack it" }, (advance) =>
      pack({
        tree,
        destination: join(workspace.published, archiveName),
        latestTime: Math.floor(date.getTime() / 1000),
        ...interruptible,
        advance,
      }),
    );

    const manifest = createManifest({
      image,
      vendor,
      version: options.version ?? `${date.toISOString().slice(0, 10).replaceAll("-", "")}.0`,
      date,
      templateSha256: await digestTemplate(template),
      tools: await readToolVersions(),
      facts,
      packed,
    });
    await writeImage(workspace.published, manifest);
    return { directory: await workspace.publish(), manifest };
  });
}

/** @throws Failure `checksum-required` (configuration) where a file is given without its checksum */
async function obtainVendorImage(
  { image, source, checksum, cache = "/var/cache/metalcast/vendor" }: BuildOptions,
  options: Parameters<typeof verifyLocalImage>[2] & {},
): Promise<VendorImage> {
  if (source === undefined) return fetchVendorImage(image, { cache, ...options });
  if (checksum !== undefined) return verifyLocalImage(source, checksum, options);
  throw new Failure({
    code: "checksum-required",
    kind: "configuration",
    message: `reading the vendor image ${source}: its checksum was not given`,
    hint: "add --checksum sha512:DIGEST, as the vendor publishes it",
  });
}
