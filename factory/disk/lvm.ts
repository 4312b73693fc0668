import { z } from "zod";
import type { BlockSource } from "./block-source.ts";
import { readLvmMetadata } from "./lvm-label.ts";
import { invalidLvm, type LvmSection, type LvmValue, parseLvmText } from "./lvm-text.ts";

/** A stretch of a logical volume that lies in one piece on the physical one. */
interface Extent {
  /** Where it lies on the physical volume. */
  offsetBytes: number;
  sizeBytes: number;
}

export interface LogicalVolume {
  /** "GROUP/VOLUME". */
  name: string;
  sizeBytes: number;
  /** In the order of the logical volume; empty where it cannot be read. */
  extents: readonly Extent[];
  /** Why it cannot be read. */
  unreadable?: string;
}

const count = z.number().int().nonnegative();
const segmentSchema = z.looseObject({
  start_extent: count,
  extent_count: count.positive(),
  type: z.string(),
  stripe_count: count.positive().max(128).optional(),
  stripe_size: count.optional(),
  stripes: z.array(z.union([z.string(), count])).optional(),
});
const volumeSchema = z.looseObject({
  status: z.array(z.string()),
  segment_count: count.positive().max(10_000),
});
const groupSchema = z.looseObject({
  extent_size: count.positive().max(2 ** 32),
  physical_volumes: z.record(z.string(), z.looseObject({ id: z.string(), pe_start: count, pe_count: count })),
  logical_volumes: z.record(z.string(), volumeSchema).default({}),
});
type Group = z.infer<typeof groupSchema>;
type Segment = z.infer<typeof segmentSchema>;

const sectorBytes = 512;
/** As lvm(8) allows them; nothing of these leads out of a path or an option. */
const namePattern = /^(?!\.{1,2}$)[A-Za-z0-9+_.][A-Za-z0-9+_.-]{0,127}$/;
/** A stripe is at least 4 KiB; a volume of more pieces than this is made to take long. */
const maximumPieces = 2 ** 20;

/**
 * Reads which logical volumes a physical volume holds, and where. Linear and striped ones are known; mirrors, RAID,
 * snapshots, thin and cached ones, and whatever lies on other physical volumes too, are named with the reason.
 * @throws Failure `lvm-invalid` (integrity)
 */
export async function readLogicalVolumes(physical: BlockSource): Promise<LogicalVolume[]> {
  const { text, uuid } = await readLvmMetadata(physical);
  if (text === "") return [];
  const { name, group } = findGroup(parseLvmText(text));
  const own = Object.entries(group.physical_volumes).find(([, { id }]) => id.replaceAll("-", "") === uuid);
  if (!own) throw invalidLvm(`volume group ${name} does not know its physical volume`);
  return Object.entries(group.logical_volumes).flatMap(([volumeName, volume]) => {
    if (!namePattern.test(volumeName)) throw invalidLvm(`a logical volume has the name ${JSON.stringify(volumeName)}`);
    if (!volume.status.includes("VISIBLE")) return [];
    return describeVolume(`${name}/${volumeName}`, volume, { group, own: own[0], physical });
  });
}

function findGroup(text: LvmSection): { name: string; group: Group } {
  const sections = [...text].filter(([, value]) => value instanceof Map);
  const [name, section] = sections[0] ?? [];
  if (name === undefined || section === undefined || sections.length > 1)
    throw invalidLvm("it is not one volume group");
  if (!namePattern.test(name)) throw invalidLvm(`the volume group has the name ${JSON.stringify(name)}`);
  return { name, group: parse(groupSchema, toObject(section), `volume group ${name}`) };
}

interface Place {
  group: Group;
  /** Name of the physical volume at hand. */
  own: string;
  physical: BlockSource;
}

function describeVolume(name: string, volume: z.infer<typeof volumeSchema>, place: Place): LogicalVolume {
  const extentBytes = place.group.extent_size * sectorBytes;
  const segments: Segment[] = [];
  let extentCount = 0;
  for (let index = 1; index <= volume.segment_count; index += 1) {
    const segment = parse(segmentSchema, volume[`segment${index}`], `segment ${index} of ${name}`);
    if (segment.start_extent !== extentCount) throw invalidLvm(`the segments of ${name} do not follow each other`);
    extentCount += segment.extent_count;
    segments.push(segment);
  }
  const sizeBytes = extentCount * extentBytes;
  const unreadable = segments
    .map((segment) => reasonAgainst(segment, place.own))
    .find((reason) => reason !== undefined);
  if (unreadable !== undefined) return { name, sizeBytes, extents: [], unreadable };
  const extents = joinExtents(segments.flatMap((segment) => findExtents(name, segment, place)));
  assertApart(name, extents);
  return { name, sizeBytes, extents };
}

function reasonAgainst({ type, stripes = [] }: Segment, own: string): string | undefined {
  if (type !== "striped") return `it is a volume of LVM's type ${type}`;
  const others = stripes.filter((entry) => typeof entry === "string" && entry !== own);
  return others.length > 0 ? "parts of it lie on another physical volume" : undefined;
}

/** A stripe's pieces go round over its places, stripe_size sectors each; with one place it is linear. */
function findExtents(name: string, segment: Segment, { group, own, physical }: Place): Extent[] {
  const { stripes = [], stripe_count: stripeCount = 0, stripe_size: stripeSectors = 0 } = segment;
  const volume = group.physical_volumes[own];
  if (!volume || stripes.length !== 2 * stripeCount || stripeCount === 0) throw invalidLvm(`${name} lies nowhere`);
  const extentBytes = group.extent_size * sectorBytes;
  const stripeBytes = (segment.extent_count / stripeCount) * extentBytes;
  const pieceBytes = stripeCount === 1 ? stripeBytes : stripeSectors * sectorBytes;
  const pieces = stripeBytes / pieceBytes;
  if (!Number.isInteger(pieces) || pieces * stripeCount > maximumPieces)
    throw invalidLvm(`${name} has impossible stripes`);
  const starts = stripes
    .filter((entry) => typeof entry === "number")
    .map((extent) => {
      const offsetBytes = volume.pe_start * sectorBytes + extent * extentBytes;
      if (
        extent * extentBytes + stripeBytes > volume.pe_count * extentBytes ||
        offsetBytes + stripeBytes > physical.sizeBytes
      ) {
        throw invalidLvm(`${name} does not lie inside its physical volume`);
      }
      return offsetBytes;
    });
  if (starts.length !== stripeCount) throw invalidLvm(`${name} lies nowhere`);
  return Array.from({ length: pieces }, (_, piece) =>
    starts.map((start) => ({ offsetBytes: start + piece * pieceBytes, sizeBytes: pieceBytes })),
  ).flat();
}

function joinExtents(extents: readonly Extent[]): Extent[] {
  const joined: Extent[] = [];
  for (const extent of extents) {
    const last = joined.at(-1);
    if (last && last.offsetBytes + last.sizeBytes === extent.offsetBytes) last.sizeBytes += extent.sizeBytes;
    else joined.push({ ...extent });
  }
  return joined;
}

/** A volume that names the same place again and again would be larger than the disk. */
function assertApart(name: string, extents: readonly Extent[]): void {
  let end = 0;
  for (const { offsetBytes, sizeBytes } of extents.toSorted((a, b) => a.offsetBytes - b.offsetBytes)) {
    if (offsetBytes < end) throw invalidLvm(`${name} holds the same place twice`);
    end = offsetBytes + sizeBytes;
  }
}

function toObject(value: LvmValue): unknown {
  if (!(value instanceof Map)) return value;
  // Without a prototype, a section named __proto__ is a section like any other.
  const object: Record<string, unknown> = Object.create(null);
  for (const [name, inner] of value) object[name] = toObject(inner);
  return object;
}

function parse<Schema extends z.ZodType>(schema: Schema, value: unknown, what: string): z.infer<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw invalidLvm(`${what}: ${problems.slice(0, 5).join("; ")}`);
}
