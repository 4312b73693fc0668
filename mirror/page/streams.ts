import { imagePrefix } from "../channel.ts";
import type { ImageContents, MirrorContents, RenderedFile, VersionContents } from "./contents.ts";
import { channelsOf } from "./describe.ts";

const contentId = "net.metalcast:images";
const productsKey = "streams/v1/images.json";

/**
 * Simplestreams: an `index:1.0` that leads to one `products:1.0`, as canonical/simplestreams reads them
 * (simplestreams/mirrors/__init__.py: `format` decides, products need a `content_id`, paths are relative to the root).
 *
 * What readers ask for besides: Incus (shared/simplestreams/products.go, which stems from LXD's) wants
 * `datatype: image-downloads`, the products' names in the index, and versions that begin with a date; MAAS
 * (import_images/download_descriptions.py) fails without `arch`, `release` and `label`, and takes a product without
 * `os` for Ubuntu. Neither knows our archive's type, so that they offer nothing that they could not start.
 */
export function renderStreams(contents: MirrorContents): RenderedFile[] {
  const images = contents.images.filter(({ versions }) => versions.length > 0);
  const updated = formatDate(contents.updatedAt);
  const head = { format: "products:1.0", datatype: "image-downloads", updated };
  const index = {
    format: "index:1.0",
    updated,
    index: { [contentId]: { ...head, path: productsKey, products: images.map(productName) } },
  };
  const products = Object.fromEntries(images.map((image) => [productName(image), describeProduct(image)]));
  return [
    renderJson(productsKey, { ...head, content_id: contentId, products }),
    renderJson("streams/v1/index.json", index),
  ];
}

function productName({ name, arch }: ImageContents): string {
  return `net.metalcast:${name}:${arch}`;
}

function describeProduct(image: ImageContents) {
  const { name, arch, versions } = image;
  const osRelease = versions[0]?.manifest.osRelease ?? {};
  const release = osRelease.VERSION_CODENAME || osRelease.VERSION_ID || name;
  return {
    aliases: name,
    arch,
    os: osRelease.ID || "linux",
    release,
    release_title: osRelease.VERSION || release,
    ...(osRelease.VERSION_ID && { version: osRelease.VERSION_ID }),
    versions: Object.fromEntries(versions.map((contents) => [contents.version, describeVersion(image, contents)])),
  };
}

function describeVersion(image: ImageContents, { version, manifest, manifestSha256 }: VersionContents) {
  const prefix = `${imagePrefix(image)}${version}/`;
  const files = manifest.files.map(({ path, sizeBytes, sha256 }) => ({ path, size: sizeBytes, sha256 }));
  const items = [...files, { path: "manifest.json", sha256: manifestSha256 }].map(({ path, ...rest }) => [
    path,
    { ftype: path, path: prefix + path, ...rest },
  ]);
  return {
    label: channelsOf(image, version)[0] ?? "former",
    pubname: `${image.name}-${image.arch}-${version}`,
    items: Object.fromEntries(items),
  };
}

/** As the readers' own tools write it: `Mon, 23 Nov 2026 12:00:00 +0000`. */
function formatDate(iso: string): string {
  return new Date(iso).toUTCString().replace("GMT", "+0000");
}

function renderJson(key: string, value: unknown): RenderedFile {
  return { key, contentType: "application/json", bytes: Buffer.from(`${JSON.stringify(value, null, 1)}\n`) };
}
