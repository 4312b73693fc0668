import { imagePrefix } from "../channel.ts";
import type { MirrorContents, RenderedFile } from "./contents.ts";
import { leadingVersion } from "./describe.ts";
import { renderImagePage } from "./image-page.ts";
import { renderIndexPage } from "./index-page.ts";

const contentType = "text/html; charset=utf-8";

/**
 * The pages of a mirror, each of them whole: they ask for nothing but what is in them, work from any web server and
 * from a disk, and tell everything without JavaScript too. `index.html`, and one for each image that has a version.
 */
export function renderMirrorPages(contents: MirrorContents): RenderedFile[] {
  const title = contents.title ?? "Metalcast mirror";
  const pages = contents.images.flatMap((image) => {
    const leading = leadingVersion(image);
    if (!leading) return [];
    const bytes = renderImagePage(contents, image, leading, title);
    return [{ key: `${imagePrefix(image)}index.html`, contentType, bytes }];
  });
  const images = contents.images.filter(({ versions }) => versions.length > 0);
  return [{ key: "index.html", contentType, bytes: renderIndexPage({ ...contents, images }, title) }, ...pages];
}
