import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { Failure } from "../../common/failure.ts";
import type { ImagePlace } from "../channel.ts";
import { type Arch, archSchema, imageNameSchema, imageVersionSchema, sha256Schema } from "../manifest.ts";
import { listReports } from "../qualification/entries.ts";
import { readWhole } from "../read-whole.ts";
import { channelPattern } from "../reference.ts";
import type { RetryOptions } from "../retry.ts";
import { sideBySide } from "../side-by-side.ts";
import type { Store } from "../store.ts";
import { metadataKey, metadataLimitBytes, pointerKey } from "../trust/roles.ts";
import { type Pointer, readPointer } from "./pointer.ts";

/** A small file, whole and in memory. */
export interface HeldFile {
  key: string;
  bytes: Uint8Array;
}

/** A file that has yet to be read, and what it has to be. */
export interface ListedFile {
  key: string;
  sizeBytes: number;
  sha256: string;
}

/** What is listed of one image, as far as a sync looks at it. */
export interface StatedImage {
  name: string;
  arch: Arch;
  versions: Readonly<Record<string, { manifestSha256: string }>>;
  /** Channel -> version. */
  channels: Readonly<Record<string, string>>;
  /** Versions that nobody new finds, whose files are there for those who found them before. */
  leaving: readonly string[];
  /** Reports of qualifications, by the version that they are kept with. */
  reports: Readonly<Record<string, readonly ListedFile[]>>;
}

/** All that a mirror says of itself at one moment. */
export interface Statement {
  pointer: Pointer;
  /** Of snapshot, targets and every image role: name -> version number. */
  roles: ReadonlyMap<string, number>;
  /** The files of these roles. Roots are not among them: no other metadata names them. */
  metadata: readonly HeldFile[];
  channels: readonly HeldFile[];
  /** Signed files that are no image's. */
  others: readonly ListedFile[];
  images: readonly StatedImage[];
}

export interface ReadStatementOptions extends RetryOptions {
  signal?: AbortSignal;
}

const attemptsLimit = 3;
const requestsAtOnce = 8;

const length = z.number().int().nonnegative();
const listedSchema = z.looseObject({ length, hashes: z.looseObject({ sha256: sha256Schema }) });
const roleSchema = z.looseObject({ ...listedSchema.shape, version: z.number().int().positive() });
const snapshotSchema = z.looseObject({
  signed: z.looseObject({
    _type: z.literal("snapshot"),
    meta: z.record(z.string().regex(/^[a-z0-9][a-z0-9.-]*\.json$/, "expected the name of a role"), roleSchema),
  }),
});
const targetsSchema = z.looseObject({
  signed: z.looseObject({ _type: z.literal("targets"), targets: z.record(z.string(), listedSchema) }),
});
const channelsSchema = z.looseObject({
  versions: z.record(imageVersionSchema, z.looseObject({ manifestSha256: sha256Schema })),
  channels: z.record(z.string().regex(channelPattern), imageVersionSchema),
  pruned: z.record(imageVersionSchema, z.looseObject({ removing: z.boolean().optional() })).optional(),
  qualified: z
    .record(imageVersionSchema, z.array(z.looseObject({ reportSha256: sha256Schema, reportBytes: length })))
    .optional(),
});

type Listed = z.infer<typeof listedSchema>;

/**
 * Reads what a mirror says of itself, from the pointer down to the channels of every image. Each file is held to the
 * length and the SHA-256 that its parent gives; signatures are not looked at, since a mirror of a mirror has no keys:
 * whoever installs checks them. What does not fit together is read again from the pointer on, since the mirror may be
 * in the middle of a change.
 * @returns undefined where there is no pointer
 * @throws Failure `metadata-missing`, `metadata-mixed`, `metadata-invalid` (integrity); what a store throws
 */
export async function readStatement(store: Store, options: ReadStatementOptions = {}): Promise<Statement | undefined> {
  const { signal, retryDelayMs = 500 } = options;
  for (let attempts = 1; ; attempts += 1) {
    try {
      const pointer = await readPointer(store, options);
      return pointer && (await follow(store, pointer, options));
    } catch (error) {
      const broken = error instanceof Failure && error.kind === "integrity";
      if (!broken || attempts >= attemptsLimit) throw error;
      await delay(retryDelayMs * 2 ** (attempts - 1), undefined, signal ? { signal } : {});
    }
  }
}

async function follow(store: Store, pointer: Pointer, options: ReadStatementOptions): Promise<Statement> {
  const { snapshot } = pointer;
  const snapshotFile = await readHeld(store, metadataKey("snapshot", snapshot.version), snapshot, options);
  const { meta } = parseHeld(store, snapshotFile, snapshotSchema).signed;
  const roles = new Map([["snapshot", snapshot.version]]);
  const metadata = [snapshotFile];
  const targets: [role: string, path: string, listed: Listed][] = [];
  // Roots are found by their numbers: what the snapshot says of them is of no use to readers either.
  const named = Object.entries(meta).filter(([name]) => name !== "root.json");
  await sideBySide(named, { limit: requestsAtOnce, ...options }, async ([name, role], signal) => {
    const roleName = name.slice(0, -".json".length);
    const file = await readHeld(store, metadataKey(roleName, role.version), role, { ...options, signal });
    const { signed } = parseHeld(store, file, targetsSchema);
    roles.set(roleName, role.version);
    metadata.push(file);
    for (const [path, listed] of Object.entries(signed.targets)) targets.push([roleName, path, listed]);
  });

  const channels: HeldFile[] = [];
  const others: ListedFile[] = [];
  const images: StatedImage[] = [];
  await sideBySide(targets, { limit: requestsAtOnce, ...options }, async ([role, path, listed], signal) => {
    const key = contentKey(path, listed.hashes.sha256);
    const place = imagePlace(path);
    if (place?.name !== role) {
      others.push({ key, sizeBytes: listed.length, sha256: listed.hashes.sha256 });
      return;
    }
    const file = await readHeld(store, key, listed, { ...options, signal });
    channels.push(file);
    images.push({ ...place, ...parseImage(store, file, place) });
  });
  images.sort((a, b) => (`${a.name} ${a.arch}` < `${b.name} ${b.arch}` ? -1 : 1));
  return { pointer, roles, metadata, channels, others, images };
}

/** Consistent snapshots: a target's name in the store begins with its hash. TUF specification, 3.1 and 6.2. */
function contentKey(path: string, sha256: string): string {
  const name = path.lastIndexOf("/") + 1;
  return `${path.slice(0, name)}${sha256}.${path.slice(name)}`;
}

function imagePlace(path: string): { name: string; arch: Arch } | undefined {
  const [, first, second] = /^images\/([^/]+)\/([^/]+)\/channels\.json$/.exec(path) ?? [];
  const name = imageNameSchema.safeParse(first);
  const arch = archSchema.safeParse(second);
  return name.success && arch.success ? { name: name.data, arch: arch.data } : undefined;
}

function parseImage(store: Store, file: HeldFile, place: ImagePlace): Omit<StatedImage, "name" | "arch"> {
  const { versions, channels, pruned = {}, qualified = {} } = parseHeld(store, file, channelsSchema);
  const dangling = Object.entries(channels).find(([, version]) => !Object.hasOwn(versions, version));
  if (dangling)
    throw metadataInvalid(store, file.key, `channel ${dangling[0]} names ${dangling[1]}, which is not listed`);
  const leaving = Object.entries(pruned).flatMap(([version, { removing }]) => (removing ? [] : [version]));
  const reports = Object.entries(qualified).map(([version, kept]) => [version, listReports(place, version, kept)]);
  return { versions, channels, leaving, reports: Object.fromEntries(reports) };
}

async function readHeld(
  store: Store,
  key: string,
  { length: expected, hashes }: Listed,
  options: ReadStatementOptions,
): Promise<HeldFile> {
  if (expected > metadataLimitBytes) throw metadataInvalid(store, key, `${expected} bytes are more than is sensible`);
  const bytes = await readWhole(store, key, { limitBytes: expected, ...options }).catch((error: unknown) => {
    throw error instanceof Failure && error.code === "object-missing" ? metadataMissing(store, key, error) : error;
  });
  const found = createHash("sha256").update(bytes).digest("hex");
  if (bytes.byteLength === expected && found === hashes.sha256) return { key, bytes };
  throw new Failure({
    code: "metadata-mixed",
    kind: "integrity",
    message: `reading ${store.url}/${key}: it has SHA-256 ${found}, what refers to it says ${hashes.sha256}`,
    hint: damagedHint,
    data: { expected: hashes.sha256, found },
  });
}

function parseHeld<T>(store: Store, { key, bytes }: HeldFile, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error).replaceAll("\n", " ") : "it is not JSON";
    throw metadataInvalid(store, key, reason, error);
  }
}

const damagedHint = "the mirror is damaged, or a cache in front of it is: look at it with `metalcast verify`";

function metadataMissing(store: Store, key: string, cause: unknown): Failure {
  return new Failure({
    code: "metadata-missing",
    kind: "integrity",
    message: `reading ${store.url}/${key}: it is missing, and ${pointerKey} leads to it`,
    hint: damagedHint,
    cause,
  });
}

function metadataInvalid(store: Store, key: string, reason: string, cause?: unknown): Failure {
  return new Failure({
    code: "metadata-invalid",
    kind: "integrity",
    message: `reading ${store.url}/${key}: ${reason}`,
    hint: damagedHint,
    cause,
  });
}
