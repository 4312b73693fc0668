import { createHash } from "node:crypto";
import { TargetFile, Targets } from "@tufjs/models";
import { Failure } from "../../common/failure.ts";
import { readWhole } from "../read-whole.ts";
import type { ReadOptions, Store, StoredObject, UnfinishedWrite, WriteOptions } from "../store.ts";
import { type Change, commit } from "./commit.ts";
import { delegate } from "./delegate.ts";
import type { KeyRing } from "./key-ring.ts";
import { describeBytes, specVersion } from "./metadata.ts";
import type { TrustedReader } from "./reader.ts";
import { type Repository, readImageRole, readRepository } from "./repository.ts";
import { parseStatementKey } from "./roles.ts";

const statementLimitBytes = 4 * 2 ** 20;

/**
 * A store in which each image's `channels.json` is what is signed of it: read only after it was verified from a pinned
 * root, and written by signing it. All else lies in the store as it is, and is vouched for by what is signed.
 */
export class SignedStore implements Store {
  readonly url: string;
  readonly #store: Store;
  readonly #reader: TrustedReader;
  readonly #keys: KeyRing | undefined;

  /** @param keys only who writes has them */
  constructor(store: Store, reader: TrustedReader, keys?: KeyRing) {
    this.url = store.url;
    this.#store = store;
    this.#reader = reader;
    this.#keys = keys;
  }

  async stat(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    if (!parseStatementKey(key)) return this.#store.stat(key, signal);
    const target = await this.#reader.find(key, signal);
    return target && describeTarget(target);
  }

  async *read(key: string, options: ReadOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
    const statement = parseStatementKey(key);
    if (!statement) return yield* this.#store.read(key, options);
    const { signal } = options;
    const sha256 = options.ifMatch ?? (await this.stat(key, signal))?.etag;
    if (sha256 === undefined) throw nothingSigned(this.url, key);
    yield await this.#readStatement(statement.keyOf(sha256), sha256, signal);
  }

  async write(
    key: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options: WriteOptions = {},
  ): Promise<StoredObject> {
    const statement = parseStatementKey(key);
    if (!statement || !(body instanceof Uint8Array)) return this.#store.write(key, body, options);
    const { ifAbsent, ifMatch, signal } = options;
    const { length, hashes } = describeBytes(body);
    const keys = this.#expectKeys(key);
    const before = await readRepository(this.#store, keys, signal);
    const role = (await readImageRole(this.#store, before, statement.name, signal))?.signed;
    const former = role?.targets[key]?.hashes.sha256;
    if (ifAbsent && former !== undefined) throw lostRace("object-exists", this.url, key);
    if (ifMatch !== undefined && ifMatch !== former) throw lostRace("object-changed", this.url, key);

    await this.#writeStatement(statement.keyOf(hashes.sha256), body, signal);
    const target = new TargetFile({ path: key, length, hashes });
    const images: Change["images"] = new Map([
      [
        statement.name,
        (version, expires) =>
          new Targets({ specVersion, version, expires, targets: { ...role?.targets, [key]: target } }),
      ],
    ]);
    await commit(this.#store, before, keys, { images, ...allowImage(before, keys, statement.name) }, { signal });
    return { key, sizeBytes: length, etag: hashes.sha256 };
  }

  async *list(prefix: string, signal?: AbortSignal): AsyncGenerator<StoredObject, void, undefined> {
    const signed = await this.#listSigned(prefix, signal);
    try {
      for await (const object of this.#store.list(prefix, signal)) {
        while (signed[0] && signed[0].key < object.key) yield* signed.splice(0, 1);
        yield object;
      }
    } catch (error) {
      // Of a store on the web, what is signed is all that can be listed.
      if (!(error instanceof Failure) || error.code !== "store-read-only" || signed.length === 0) throw error;
    }
    yield* signed;
  }

  async remove(key: string, signal?: AbortSignal): Promise<void> {
    return this.#store.remove(key, signal);
  }

  async *listUnfinished(prefix: string, signal?: AbortSignal): AsyncGenerator<UnfinishedWrite, void, undefined> {
    yield* this.#store.listUnfinished?.(prefix, signal) ?? [];
  }

  async #listSigned(prefix: string, signal?: AbortSignal): Promise<StoredObject[]> {
    const last = prefix.split("/")[3] ?? "";
    const mayMatch = "images/".startsWith(prefix) || (prefix.startsWith("images/") && "channels.json".startsWith(last));
    const targets = mayMatch ? await this.#reader.list(signal) : [];
    return targets.filter(({ path }) => path.startsWith(prefix)).map((target) => describeTarget(target));
  }

  async #readStatement(key: string, sha256: string, signal?: AbortSignal): Promise<Buffer> {
    const bytes = await readWhole(this.#store, key, { limitBytes: statementLimitBytes, ...(signal && { signal }) });
    const found = createHash("sha256").update(bytes).digest("hex");
    if (found === sha256) return bytes;
    throw new Failure({
      code: "target-mismatch",
      kind: "integrity",
      message: `reading ${this.url}/${key}: its SHA-256 is ${found}, ${sha256} is signed`,
      hint: "the mirror is damaged or tampered with: compare it with another one, and install nothing from it",
      data: { expected: sha256, found },
    });
  }

  /** The name says what is in it: whoever wrote it before wrote the same. */
  async #writeStatement(key: string, body: Uint8Array, signal?: AbortSignal): Promise<void> {
    try {
      const options = { ifAbsent: true, contentType: "application/json", ...(signal && { signal }) };
      await this.#store.write(key, body, options);
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== "object-exists") throw error;
    }
  }

  #expectKeys(key: string): KeyRing {
    if (this.#keys) return this.#keys;
    throw new Failure({
      code: "keys-missing",
      kind: "configuration",
      message: `writing ${this.url}/${key}: it has to be signed, and there are no keys`,
      hint: "name the folder that `metalcast mirror init` has made by --keys",
    });
  }
}

function describeTarget({ path, length, hashes }: TargetFile): StoredObject {
  return { key: path, sizeBytes: length, etag: hashes.sha256 ?? "" };
}

/** A name that is new needs the key of targets. */
function allowImage({ targets }: Repository, keys: KeyRing, name: string): Pick<Change, "targets"> {
  if (targets.signed.delegations?.roles?.[name]) return {};
  const addition = { names: [name], keys: keys.ofRole("images") };
  return { targets: (version, expires) => delegate(targets.signed, addition, { version, expires }) };
}

function nothingSigned(url: string, key: string): Failure {
  return new Failure({
    code: "object-missing",
    kind: "failed",
    message: `reading ${url}/${key}: nothing is signed of it`,
  });
}

function lostRace(code: "object-exists" | "object-changed", url: string, key: string): Failure {
  return new Failure({ code, kind: "failed", message: `writing ${url}/${key}: another writer was faster` });
}
