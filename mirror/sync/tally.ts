import { type Arch, archSchema } from "../manifest.ts";

export interface Count {
  objects: number;
  bytes: number;
}

/** What a run did. In a dry run: what it would do. */
export interface SyncCounts {
  copied: Count;
  /** Of the copied ones, those whose bytes the server that has both sides has copied by itself. */
  copiedOnServer: Count;
  /** Was there already. */
  skipped: Count;
  deleted: Count;
}

export interface ImageCounts extends SyncCounts {
  name: string;
  arch: Arch;
}

type Kind = keyof SyncCounts;
type Item = { key: string; sizeBytes: number };

/** Counts objects by what happened to them, each once. */
export class Tally {
  #reusedBytes = 0;
  readonly #items: Record<Kind, Map<string, number>> = {
    copied: new Map(),
    copiedOnServer: new Map(),
    skipped: new Map(),
    deleted: new Map(),
  };

  add(kind: Kind, items: Iterable<Item>): void {
    for (const { key, sizeBytes } of items) {
      // What a run has copied is there already when it looks again.
      if (kind === "skipped" && this.#items.copied.has(key)) continue;
      this.#items[kind].set(key, sizeBytes);
    }
  }

  /** Bytes of copied objects that did not come from the source. */
  addReused(bytes: number): void {
    this.#reusedBytes += bytes;
  }

  get reusedBytes(): number {
    return this.#reusedBytes;
  }

  /** A new look at the source begins. */
  forgetSkipped(): void {
    this.#items.skipped.clear();
  }

  total(): SyncCounts {
    return this.#count(() => true);
  }

  /** By name and architecture; metadata is no image's. */
  images(): ImageCounts[] {
    const prefixes = new Set<string>();
    for (const items of Object.values(this.#items)) for (const key of items.keys()) prefixes.add(imageOf(key));
    return [...prefixes].sort().flatMap((prefix) => {
      const [, name = "", arch] = prefix.split("/");
      const known = archSchema.safeParse(arch);
      return known.success ? [{ name, arch: known.data, ...this.#count((key) => imageOf(key) === prefix) }] : [];
    });
  }

  #count(takes: (key: string) => boolean): SyncCounts {
    const count = (kind: Kind): Count => {
      const sizes = [...this.#items[kind]].flatMap(([key, sizeBytes]) => (takes(key) ? [sizeBytes] : []));
      return { objects: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
    };
    return {
      copied: count("copied"),
      copiedOnServer: count("copiedOnServer"),
      skipped: count("skipped"),
      deleted: count("deleted"),
    };
  }
}

function imageOf(key: string): string {
  const parts = key.split("/");
  return parts[0] === "images" ? parts.slice(0, 3).join("/") : "";
}
