import type { ImageFacts } from "../mirror/index.ts";

/** An image as the plan sees it: what it is, and where its content comes from. */
export interface PlannableImage {
  facts: ImageFacts;
  content:
    | { kind: "published"; mirror: string; prefix: string; manifestSha256: string }
    /** A verified image of the user's own, opened: its root file system, as this process sees it. */
    | { kind: "tree"; path: string };
}

/** An image that a job names by itself: "bring your own image". */
export interface OwnImageReference {
  /** Either this, an absolute path, or the next. */
  file?: string | undefined;
  url?: string | undefined;
  /** Of the file as it lies there, in hexadecimal. */
  sha256: string;
  /** Default: as the file's name says. */
  format?: string | undefined;
}

/** The opened image's tree is there until it is disposed of. */
export type OpenedOwnImage = AsyncDisposable & { facts: ImageFacts; tree: string };

/**
 * Verifies an image of the user's own, and opens it read-only. The factory knows how (`openOwnImage` in
 * `metalcast/factory`); whoever calls the installer brings the two together.
 */
export type OpenOwnImage = (reference: OwnImageReference) => Promise<OpenedOwnImage>;
