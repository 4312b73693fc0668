import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { Failure } from "../../common/failure.ts";
import type { Secret } from "../../common/secret.ts";
import { type KeyRole, keyRoles, offlineRoles } from "./roles.ts";
import {
  decodePrivateKey,
  encodePrivateKey,
  generatePrivateKey,
  type SigningKey,
  toSigningKey,
} from "./signing-key.ts";

/**
 * A folder with the keys of a mirror: `ROLE-ID.pem` for each, and `root.json`, the root that readers pin. Keys of the
 * root and of targets are encrypted; the folder of a nightly can do without them.
 */
export class KeyRing {
  readonly directory: string;
  readonly #passphrase: Secret | undefined;
  readonly #keys = new Map<string, SigningKey>();
  readonly #roles = new Map<string, string>();
  /** Encrypted ones, by the beginning of their ID. */
  readonly #locked = new Map<string, string>();
  #raising: Promise<unknown> = Promise.resolve();

  private constructor(directory: string, passphrase: Secret | undefined) {
    this.directory = directory;
    this.#passphrase = passphrase;
  }

  /**
   * @param passphrase of the offline keys; without it they are there but cannot sign
   * @throws Failure `keys-missing`, `key-unusable` (configuration)
   */
  static async open(directory: string, passphrase?: Secret): Promise<KeyRing> {
    const ring = new KeyRing(directory, passphrase);
    const names = await readdir(directory).catch((error: unknown) => {
      throw keysMissing(directory, error);
    });
    for (const name of names.filter((name) => keyFile.test(name)).sort()) await ring.#load(name);
    return ring;
  }

  /** @throws Failure `passphrase-weak` (configuration) */
  static async create(directory: string, passphrase: Secret): Promise<KeyRing> {
    if (passphrase.reveal().length < leastPassphrase) throw passphraseWeak(directory);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return KeyRing.open(directory, passphrase);
  }

  /** Makes a key of the role, and its file. */
  async add(role: KeyRole): Promise<SigningKey> {
    const isOffline = offlineRoles.includes(role);
    if (isOffline && !this.#passphrase) throw passphraseMissing(this.directory, role);
    const privateKey = generatePrivateKey();
    const pem = encodePrivateKey(privateKey, isOffline ? this.#passphrase?.reveal() : undefined);
    const signingKey = toSigningKey(privateKey);
    const file = join(this.directory, `${role}-${shorten(signingKey.key.keyID)}.pem`);
    await writeFile(file, pem, { mode: 0o600, flag: "wx" });
    this.#add(role, signingKey);
    return signingKey;
  }

  /** The keys of a role that are here and can sign. */
  ofRole(role: KeyRole): SigningKey[] {
    return [...this.#keys.values()].filter(({ key }) => this.#roles.get(key.keyID) === role);
  }

  /** Those of the keys that are here and can sign. */
  pick(keyIDs: readonly string[]): SigningKey[] {
    return keyIDs.flatMap((keyID) => this.#keys.get(keyID) ?? []);
  }

  /** Why a key can't sign, for the message. */
  explain(keyID: string): string {
    const file = this.#locked.get(shorten(keyID));
    return file === undefined ? `${shorten(keyID)} is not in ${this.directory}` : `${file} is encrypted`;
  }

  /** The pinned root. @throws Failure `root-missing` (configuration) */
  async readRoot(): Promise<Buffer> {
    return readRootFile(join(this.directory, "root.json"));
  }

  async writeRoot(bytes: Uint8Array): Promise<void> {
    await writeWhole(join(this.directory, "root.json"), bytes);
  }

  /** The newest versions that were seen: a mirror that shows older ones is not believed. */
  async readSeen(): Promise<Seen> {
    const text = await readFile(join(this.directory, "seen.json"), "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return "{}";
      throw error;
    });
    return seenSchema.parse(JSON.parse(text));
  }

  /** Versions that were seen or signed just now. What was seen before stays where it is newer. One call at a time. */
  raiseSeen(found: Seen): Promise<void> {
    const raise = async () => {
      const seen = await this.readSeen();
      const next = {
        timestamp: Math.max(seen.timestamp, found.timestamp),
        snapshot: Math.max(seen.snapshot, found.snapshot),
      };
      const isKnown = next.timestamp === seen.timestamp && next.snapshot === seen.snapshot;
      if (!isKnown) await writeWhole(join(this.directory, "seen.json"), `${JSON.stringify(next)}\n`);
    };
    const raised = this.#raising.then(raise);
    this.#raising = raised.catch(() => undefined);
    return raised;
  }

  #add(role: string, signingKey: SigningKey): void {
    this.#keys.set(signingKey.key.keyID, signingKey);
    this.#roles.set(signingKey.key.keyID, role);
  }

  async #load(name: string): Promise<void> {
    const pem = await readFile(join(this.directory, name), "utf8");
    const isEncrypted = pem.includes("ENCRYPTED");
    const [, role = "", id = ""] = keyFile.exec(name) ?? [];
    if (isEncrypted && !this.#passphrase) {
      this.#locked.set(id, name);
      return;
    }
    try {
      const passphrase = isEncrypted ? this.#passphrase?.reveal() : undefined;
      this.#add(role, toSigningKey(decodePrivateKey(pem, passphrase)));
    } catch (error) {
      throw keyUnusable(join(this.directory, name), isEncrypted, error);
    }
  }
}

const seenSchema = z.strictObject({ timestamp: z.int().default(0), snapshot: z.int().default(0) });

export type Seen = z.infer<typeof seenSchema>;

const keyFile = new RegExp(`^(${keyRoles.join("|")})-([0-9a-f]{12})\\.pem$`);

function shorten(keyID: string): string {
  return keyID.slice(0, 12);
}

/** @throws Failure `root-missing` (configuration) */
export async function readRootFile(file: string): Promise<Buffer> {
  return readFile(file).catch((error: unknown) => {
    throw new Failure({
      code: "root-missing",
      kind: "configuration",
      message: `reading the root of the mirror's signatures: cannot read ${file}`,
      hint: "`metalcast mirror init` makes it: bring its root.json here by a way that you trust, not from the mirror",
      cause: error,
    });
  });
}

async function writeWhole(file: string, content: Uint8Array | string): Promise<void> {
  const partial = `${file}.${process.pid}.partial`;
  await writeFile(partial, content);
  await rename(partial, file);
}

function keysMissing(directory: string, cause: unknown): Failure {
  return new Failure({
    code: "keys-missing",
    kind: "configuration",
    message: `opening the keys of the mirror: cannot read ${directory}`,
    hint: "name the folder that `metalcast mirror init` has made",
    cause,
  });
}

/** Characters: of somebody who tries passphrases on a stolen key, PKCS#8 costs too little. */
const leastPassphrase = 16;

function passphraseWeak(directory: string): Failure {
  return new Failure({
    code: "passphrase-weak",
    kind: "configuration",
    message: `making keys in ${directory}: the passphrase is too short`,
    hint: `take ${leastPassphrase} characters or more`,
  });
}

function passphraseMissing(directory: string, role: KeyRole): Failure {
  return new Failure({
    code: "passphrase-missing",
    kind: "configuration",
    message: `making a key of ${role} in ${directory}: it is kept encrypted, and there is no passphrase`,
    hint: "name a file that holds it by --passphrase-file",
  });
}

function keyUnusable(file: string, isEncrypted: boolean, cause: unknown): Failure {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new Failure({
    code: "key-unusable",
    kind: "configuration",
    message: `reading the key ${file}: ${isEncrypted ? "the passphrase does not open it" : reason}`,
    hint: isEncrypted ? "check the file of --passphrase-file" : "bring the key back from your copy of it",
    cause,
  });
}
