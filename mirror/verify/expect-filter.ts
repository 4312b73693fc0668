import { Failure } from "../../common/failure.ts";
import type { StatedImage } from "../sync/read-statement.ts";
import type { SyncFilter } from "../sync/select-versions.ts";

/**
 * A name with a slip in it would check nothing, and find nothing.
 * @throws Failure `image-unknown`, `channel-unknown`, `newest-invalid` (configuration)
 */
export function expectFilter(images: readonly StatedImage[], filter: SyncFilter, url: string): void {
  const { newest = 1 } = filter;
  if (!Number.isSafeInteger(newest) || newest < 1) {
    throw refuse(
      "newest-invalid",
      url,
      `${newest} is not a number of versions`,
      "take 1 or more of the newest versions",
    );
  }
  expectNames("image", filter.images, new Set(images.map(({ name }) => name)), url);
  expectNames("channel", filter.channels, new Set(images.flatMap(({ channels }) => Object.keys(channels))), url);
}

function expectNames(
  what: "image" | "channel",
  names: readonly string[] = [],
  there: ReadonlySet<string>,
  url: string,
) {
  const unknown = names.find((name) => !there.has(name));
  if (unknown === undefined) return;
  const hint = `${what}s there: ${[...there].sort().join(", ") || "none"}`;
  throw refuse(`${what}-unknown`, url, `there is no ${what} ${unknown}`, hint);
}

function refuse(code: string, url: string, reason: string, hint: string): Failure {
  return new Failure({ code, kind: "configuration", message: `verifying ${url}: ${reason}`, hint });
}
