import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BaseFetcher, type TargetFile, Updater } from "tuf-js";
import { DownloadHTTPError } from "tuf-js/dist/error.js";
import { Failure } from "../../common/failure.ts";
import { readWhole } from "../read-whole.ts";
import type { Store } from "../store.ts";
import { parseMetadata } from "./metadata.ts";
import { metadataLimitBytes, parseStatementKey } from "./roles.ts";
import { describeClientError, describeSignatures } from "./trust-failure.ts";

/**
 * Reads what is signed of a mirror as a client of The Update Framework: from a pinned root, refusing what is not signed,
 * expired, older than what was seen, or put together from several states. The work is tuf-js's.
 */
export class TrustedReader {
  readonly #store: Store;
  readonly #memory: string | undefined;
  /** What was verified so far, by file name. */
  readonly #seen: Map<string, Buffer>;
  #last: Promise<unknown> = Promise.resolve();

  /**
   * @param root the pinned one; newer ones that it vouches for are followed
   * @param memory a folder that keeps what was seen, so that an older state is refused by the next process, too
   */
  constructor(store: Store, root: Uint8Array, memory?: string) {
    this.#store = store;
    this.#memory = memory;
    this.#seen = new Map([["root.json", Buffer.from(root)]]);
  }

  /**
   * What is signed of a path now.
   * @returns undefined where nothing is
   * @throws Failure of integrity that names what is wrong (trust-failure.ts); what a store throws
   */
  find(path: string, signal?: AbortSignal): Promise<TargetFile | undefined> {
    return this.#use(async ({ updater, published }) => {
      const name = parseStatementKey(path)?.name;
      return name !== undefined && published.includes(name) ? updater.getTargetInfo(path) : undefined;
    }, signal);
  }

  /** All that something is signed of, in the order of its paths. */
  list(signal?: AbortSignal): Promise<TargetFile[]> {
    return this.#use(async ({ updater, published, read }) => {
      const targets: TargetFile[] = [];
      for (const name of published) {
        // Asked for any path of the role's, the client loads it.
        await updater.getTargetInfo(`images/${name}/any/channels.json`);
        const { signed } = parseMetadata("targets", await read(`${name}.json`), `${name}.json`);
        for (const target of Object.values<TargetFile>(signed.targets)) targets.push(target);
      }
      return targets.sort((a, b) => (a.path < b.path ? -1 : 1));
    }, signal);
  }

  /** One at a time: the client keeps its state in files. */
  #use<Result>(work: (state: VerifiedState) => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    const result = this.#last.then(() => this.#refresh(work, signal));
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #refresh<Result>(work: (state: VerifiedState) => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    const directory = await this.#openDirectory();
    const fetcher = new StoreFetcher(this.#store, signal);
    try {
      const metadataBaseUrl = `${baseUrl}/metadata`;
      const updater = new Updater({ metadataDir: directory, metadataBaseUrl, fetcher });
      await updater.refresh();
      const read = (name: string) => readFile(join(directory, name));
      const { meta } = parseMetadata("snapshot", await read("snapshot.json"), "snapshot.json").signed;
      const { delegations } = parseMetadata("targets", await read("targets.json"), "targets.json").signed;
      // A name that nothing was published of has no role yet, which the client would take for a missing part.
      const published = Object.keys(delegations?.roles ?? {}).filter((name) => meta[`${name}.json`]);
      return await work({ updater, published, read });
    } catch (error) {
      throw await this.#explain(error, fetcher, directory);
    } finally {
      await this.#closeDirectory(directory);
    }
  }

  async #openDirectory(): Promise<string> {
    const directory = this.#memory ?? (await mkdtemp(join(tmpdir(), "metalcast-trust-")));
    await mkdir(directory, { recursive: true });
    const there = new Set(await readdir(directory));
    for (const [name, bytes] of this.#seen) if (!there.has(name)) await writeFile(join(directory, name), bytes);
    return directory;
  }

  async #closeDirectory(directory: string): Promise<void> {
    if (directory === this.#memory) return;
    for (const name of await readdir(directory)) this.#seen.set(name, await readFile(join(directory, name)));
    await rm(directory, { recursive: true, force: true });
  }

  async #explain(error: unknown, fetcher: StoreFetcher, directory: string): Promise<unknown> {
    if (fetcher.failure) return fetcher.failure;
    const where = `${this.#store.url}/${fetcher.lastKey}`;
    const [, role] = /(\S+) was signed by \d+\/\d+ keys/.exec(String(error)) ?? [];
    if (role === undefined || !fetcher.lastBytes) return describeClientError(error, where) ?? error;
    const isTop = ["root", "targets", "snapshot", "timestamp"].includes(role);
    const parent = isTop
      ? parseMetadata("root", await readFile(join(directory, "root.json")), "root.json")
      : parseMetadata("targets", await readFile(join(directory, "targets.json")), "targets.json");
    const kind = role === "root" || role === "snapshot" || role === "timestamp" ? role : "targets";
    return describeSignatures(parent, role, parseMetadata(kind, fetcher.lastBytes, where), where, error);
  }
}

/** What was verified, and the client to ask for more. */
interface VerifiedState {
  updater: Updater;
  /** Names of images that something is signed of. */
  published: readonly string[];
  /** A verified file of metadata. */
  read(name: string): Promise<Buffer>;
}

/** Of no host: the fetcher takes the path alone. */
const baseUrl = "http://mirror.invalid";

/** Reads from a store what the client asks for by URL. */
class StoreFetcher extends BaseFetcher {
  readonly #store: Store;
  readonly #signal: AbortSignal | undefined;
  lastKey = "metadata";
  lastBytes: Buffer | undefined;
  /** The client hides what it did not expect in a text. */
  failure: Failure | undefined;

  constructor(store: Store, signal: AbortSignal | undefined) {
    super();
    this.#store = store;
    this.#signal = signal;
  }

  override async fetch(url: string): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
    const key = url.slice(baseUrl.length + 1);
    try {
      const options = { limitBytes: metadataLimitBytes, ...(this.#signal && { signal: this.#signal }) };
      const bytes = await readWhole(this.#store, key, options);
      this.lastKey = key;
      this.lastBytes = bytes;
      return ReadableStream.from([new Uint8Array(bytes)]) as ReadableStream<Uint8Array<ArrayBuffer>>;
    } catch (error) {
      const isProbe = /^metadata\/\d+\.root\.json$/.test(key);
      if (isProbe && error instanceof Failure && error.code === "object-missing") throw new DownloadHTTPError(key, 404);
      this.lastKey = key;
      this.failure = toFailure(error, key, this.#store.url);
      throw error;
    }
  }
}

function toFailure(error: unknown, key: string, store: string): Failure | undefined {
  if (!(error instanceof Failure)) return undefined;
  if (error.code === "object-overlong") return describeClientError("Max length reached", `${store}/${key}`);
  if (error.code !== "object-missing") return error;
  return new Failure({
    code: key.endsWith("/timestamp.json") ? "mirror-unsigned" : "metadata-mixed",
    kind: key.endsWith("/timestamp.json") ? "configuration" : "integrity",
    message: `reading ${store}/${key}: it is missing`,
    hint: "check the URL of the mirror; if it is right, the mirror was copied only in part: sync it again",
    cause: error,
  });
}
