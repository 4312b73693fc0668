import type { MetaFile, TargetFile } from "@tufjs/models";
import { Failure } from "../../common/failure.ts";
import { readChannels } from "../channel.ts";
import { archSchema, imageNameSchema } from "../manifest.ts";
import { listReports, qualifiedOf } from "../qualification/entries.ts";
import { readWhole } from "../read-whole.ts";
import type { Store } from "../store.ts";
import type { StatedImage } from "../sync/read-statement.ts";
import { parseMetadata } from "../trust/metadata.ts";
import { metadataKey, metadataLimitBytes, parseStatementKey, pointerKey } from "../trust/roles.ts";
import type { HeldReads } from "./hold-reads.ts";
import type { Mender } from "./mender.ts";
import { readPart } from "./read-part.ts";
import type { Verification } from "./verification.ts";

/** What a mirror says of itself, as far as it could be followed. */
export interface MirrorState {
  /** Of the pointer; undefined where it can't be read. */
  version: number | undefined;
  /** When readers begin to refuse it, and what has expired then. */
  expiry: { role: string; expires: Date } | undefined;
  /** Keys of all metadata and lists that the pointer leads to. */
  parts: ReadonlySet<string>;
  /** Whether all of them could be followed: if not, nobody knows what else is referred to. */
  isWhole: boolean;
  images: readonly StatedImage[];
}

/**
 * Follows the pointer down to the list of every image. Signatures are the judge's business: here every file is held to
 * what the one above says of it.
 * @param held gets the bytes of what was mended
 */
export async function followMetadata(
  run: Verification,
  held: HeldReads,
  mender: Mender | undefined,
): Promise<MirrorState> {
  const walk = new Walk(run, held, mender);
  await walk.follow();
  return walk;
}

class Walk implements MirrorState {
  version: number | undefined;
  expiry: { role: string; expires: Date } | undefined;
  readonly parts = new Set([pointerKey]);
  isWhole = true;
  readonly images: StatedImage[] = [];
  readonly #run: Verification;
  readonly #held: HeldReads;
  readonly #mender: Mender | undefined;

  constructor(run: Verification, held: HeldReads, mender: Mender | undefined) {
    this.#run = run;
    this.#held = held;
    this.#mender = mender;
  }

  async follow(): Promise<void> {
    const bytes = await readWhole(this.#held.store, pointerKey, { limitBytes: metadataLimitBytes, ...this.#run.retry });
    this.#run.checked.objects += 1;
    this.#run.checked.bytes += bytes.byteLength;
    const timestamp = this.#parse("timestamp", pointerKey, bytes);
    if (!timestamp) return;
    this.version = timestamp.version;
    const snapshot = await this.#readRole("snapshot", "snapshot", timestamp.snapshotMeta);
    const meta = snapshot?.meta ?? {};
    const targets = await this.#readRole("targets", "targets", meta["targets.json"]);
    for (const name of Object.keys(targets?.delegations?.roles ?? {})) {
      if (meta[`${name}.json`]) await this.#readImageRole(name, meta[`${name}.json`]);
    }
    this.images.sort((a, b) => (`${a.name} ${a.arch}` < `${b.name} ${b.arch}` ? -1 : 1));
  }

  async #readRole<Kind extends "snapshot" | "targets">(kind: Kind, role: string, meta: MetaFile | undefined) {
    if (!meta) {
      this.isWhole = false;
      return undefined;
    }
    const key = metadataKey(role, meta.version);
    const bytes = await this.#readPart(key, meta);
    return bytes && this.#parse<Kind>(kind, key, bytes, role);
  }

  async #readImageRole(name: string, meta: MetaFile | undefined): Promise<void> {
    const role = await this.#readRole("targets", name, meta);
    for (const target of Object.values<TargetFile>(role?.targets ?? {})) {
      const image = await this.#readImage(name, target);
      if (image) this.images.push(image);
    }
  }

  async #readImage(role: string, target: TargetFile): Promise<StatedImage | undefined> {
    const statement = parseStatementKey(target.path);
    const [, first, second] = target.path.split("/");
    const name = imageNameSchema.safeParse(first);
    const arch = archSchema.safeParse(second);
    // No reader of an image asks for any other path.
    if (!statement || !name.success || !arch.success || name.data !== role) return undefined;
    const place = { name: name.data, arch: arch.data };
    const key = statement.keyOf(target.hashes.sha256 ?? "");
    const bytes = await this.#readPart(key, target);
    if (!bytes) return undefined;
    const alone: Store = {
      ...this.#held.store,
      stat: async () => ({ key, sizeBytes: bytes.byteLength, etag: "" }),
      async *read() {
        yield Buffer.from(bytes);
      },
    };
    try {
      const listed = await readChannels(alone, place);
      if (!listed) return undefined;
      const { versions, channels, pruned = {} } = listed;
      const reports = Object.keys(versions).map((version) => [
        version,
        listReports(place, version, qualifiedOf(listed, version)),
      ]);
      return { ...place, versions, channels, leaving: Object.keys(pruned), reports: Object.fromEntries(reports) };
    } catch (error) {
      return this.#refuse(key, error);
    }
  }

  async #readPart(key: string, described: MetaFile | TargetFile): Promise<Buffer | undefined> {
    this.parts.add(key);
    const { length, hashes } = described;
    const part = { key, sha256: hashes?.sha256 ?? "", ...(length !== undefined && { sizeBytes: length }) };
    const bytes = await readPart(
      this.#run,
      this.#held.store,
      { ...part, limitBytes: metadataLimitBytes },
      this.#mender,
    );
    if (bytes) this.#held.bytes.set(key, bytes);
    else this.isWhole = false;
    return bytes;
  }

  #parse<Kind extends "timestamp" | "snapshot" | "targets">(
    kind: Kind,
    key: string,
    bytes: Buffer,
    role = "timestamp",
  ) {
    try {
      const { signed } = parseMetadata(kind, bytes, `${this.#held.store.url}/${key}`);
      this.#expire(role, new Date(signed.expires));
      return signed;
    } catch (error) {
      return this.#refuse(key, error);
    }
  }

  #expire(role: string, expires: Date): void {
    if (!this.expiry || expires < this.expiry.expires) this.expiry = { role, expires };
  }

  #refuse(key: string, error: unknown): undefined {
    if (!(error instanceof Failure) || error.kind !== "integrity") throw error;
    this.isWhole = false;
    this.#run.damages.push({ finding: { key, problem: "invalid", code: error.code, reason: error.message } });
  }
}
