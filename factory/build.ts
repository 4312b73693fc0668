import { join } from "node:path";
import { type Emit, note, reportOperation, reportStep } from "../common/event.ts";
import { archiveName, expectVersion, type Manifest } from "../mirror/manifest.ts";
import type { CatalogImage } from "./catalog.ts";
import { customizeByBooting } from "./customize-by-booting.ts";
import type { AptOverride, CustomizeOptions, RhsmSubscription } from "./customize-run.ts";
import { digestTemplate } from "./customize-template.ts";
import { customizeTree } from "./customize-tree.ts";
import type { CustomizeChoice } from "./customize-way.ts";
import { readFacts } from "./facts.ts";
import type { ImageFormat } from "./image-format.ts";
import { obtainVendorImage } from "./obtain-vendor-image.ts";
import { type ImageFile, openImage } from "./open-image.ts";
import { pack } from "./pack.ts";
import { digestRecipe } from "./recipe-digest.ts";
import { assertCanBuild } from "./requirements.ts";
import { createSbom } from "./sbom.ts";
import { readToolVersions } from "./tool-versions.ts";
import { Workspace } from "./workspace.ts";
import { makeWritable } from "./writable-tree.ts";
import { createManifest, writeImage } from "./write-image.ts";

export interface BuildOptions {
  image: CatalogImage;
  /** Folder to make: the published image. Must not exist. Beside it the build works, with room for the whole disk. */
  output: string;
  /** A vendor image on this machine, in place of the download. Needs `checksum`. */
  source?: string;
  /** `sha512:DIGEST` of `source`. */
  checksum?: string;
  /** Of `source`. Default: the catalog's. */
  format?: ImageFormat;
  /** Default: today's date in UTC and `.0`. */
  version?: string;
  /** Folder of verified downloads. */
  cache?: string;
  /** How the provisioning scripts reach the image. Default: in a fenced chroot. */
  customize?: CustomizeChoice;
  /** What apt uses during the build only. */
  apt?: AptOverride;
  /** The subscription that Red Hat's packages come from during the build only. */
  rhsm?: RhsmSubscription;
  /** Folder of the Packer templates and scripts, for those of one's own. */
  template?: string;
  emit: Emit;
  signal?: AbortSignal;
}

/**
 * Makes a published image of a vendor's: fetch and verify, open in its declared format, customize through Packer, read
 * what came of it, pack. After a failure nothing is left: no output, mount, loop device or process.
 * @returns the output's absolute path, and the manifest that lies in it
 * @throws Failure `version-invalid` (configuration), those of each step
 */
export async function build(options: BuildOptions): Promise<{ directory: string; manifest: Manifest }> {
  const { image, output, emit, signal, apt, rhsm, template } = options;
  const { format = image.format, customize = { way: "chroot" } } = options;
  const interruptible = signal ? { signal } : {};
  return reportOperation(emit, { operation: "build", subject: image.name }, async () => {
    await assertCanBuild(image, customize.way, format);
    const date = new Date();
    const version = expectVersion(options.version ?? `${date.toISOString().slice(0, 10).replaceAll("-", "")}.0`);
    await using workspace = await Workspace.open(output);
    const customizing = {
      scratch: workspace.path("packer"),
      onText: (text: string) => note(emit, text),
      ...(apt && { apt }),
      ...(rhsm && { rhsm }),
      ...(template !== undefined && { template }),
      ...interruptible,
    };

    const vendor = await reportStep(emit, { step: "fetch", title: "Fetch and verify the vendor image" }, (advance) =>
      obtainVendorImage(options, { ...interruptible, advance }),
    );
    const vendorFile = { path: vendor.path, format };
    const file =
      customize.way === "chroot"
        ? vendorFile
        : await customizeByBooting(image, vendorFile, customize, { ...customizing, workspace, emit });
    // Closed before anything is published: what cannot be let go of is a failure, too.
    const made = await makeImage(file, { ...options, customizing, version, date, workspace });
    const manifest = createManifest({
      image,
      vendor,
      version,
      date,
      recipeSha256: digestRecipe(image),
      templateSha256: await digestTemplate(template),
      tools: await readToolVersions(),
      ...made,
    });
    await writeImage(workspace.published, manifest, made.sbom);
    return { directory: await workspace.publish(), manifest };
  });
}

interface MakeOptions extends BuildOptions {
  customizing: CustomizeOptions;
  version: string;
  date: Date;
  workspace: Workspace;
}

/** From an image file to the packed archive in the workspace, and what is to be said of it. */
async function makeImage(file: ImageFile, options: MakeOptions) {
  const { image, emit, signal, customize, customizing, version, date, workspace } = options;
  await using opened = await openImage(file, { scratch: workspace.path("opened"), emit, signal });
  const { namespace } = opened;
  const directory = await makeWritable(opened, { scratch: workspace.path("writable"), emit, signal });
  const tree = namespace.path(directory);
  if (customize === undefined || customize.way === "chroot") {
    await reportStep(emit, { step: "customize", title: "Customize it for metal" }, () =>
      customizeTree(image, { ...customizing, namespace, tree: directory }),
    );
  }
  const [facts, sbom] = await reportStep(emit, { step: "inspect", title: "Read what it holds" }, async () => [
    await readFacts(tree, image.family),
    await createSbom(tree, { name: image.name, version, date }),
  ]);
  const packed = await reportStep(emit, { step: "pack", title: "Pack it" }, (advance) =>
    pack({
      tree,
      destination: join(workspace.published, archiveName),
      latestTime: Math.floor(date.getTime() / 1000),
      ...(signal && { signal }),
      advance,
    }),
  );
  return { facts, sbom, packed };
}
