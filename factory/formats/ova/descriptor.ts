import { XMLParser, XMLValidator } from "fast-xml-parser";
import { z } from "zod";
import { invalid } from "./invalid.ts";

/** What an OVF descriptor says that matters here. */
export interface OvfSummary {
  /** The member with the disk. */
  diskFile: string;
  /** The size of that member, where the descriptor says it. */
  diskFileBytes?: number;
  virtualSystem?: string;
  operatingSystem?: string;
}

export const maximumDescriptorBytes = 2 ** 20;

const text = z.string().optional();
const fileSchema = z.object({
  "@id": z.string(),
  "@href": z.string(),
  "@size": text,
  "@compression": text,
  "@chunkSize": text,
});
const diskSchema = z.object({ "@diskId": z.string(), "@fileRef": text, "@format": z.string(), "@parentRef": text });
/** For people to read: what is not as expected here is left out. */
const systemSchema = z
  .object({
    "@id": text.catch(undefined),
    Name: z.array(z.string()).optional().catch(undefined),
    OperatingSystemSection: z
      .object({ Description: z.array(z.string()).optional() })
      .optional()
      .catch(undefined),
  })
  .optional()
  .catch(undefined);
/** DMTF, DSP0243: "File References", "DiskSection", "Content Element". */
const envelopeSchema = z.object({
  Envelope: z.object({
    References: z.object({ File: z.array(fileSchema) }),
    DiskSection: z.object({ Disk: z.array(diskSchema) }),
    VirtualSystem: systemSchema,
  }),
});

const lists = new Set(["File", "Disk", "Name", "Description"]);
const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: "@",
  removeNSPrefix: true,
  processEntities: false,
  parseTagValue: false,
  parseAttributeValue: false,
  isArray: (name) => lists.has(name),
});

/**
 * Reads an OVF descriptor of an appliance with one disk in one VMDK. Document types are refused, entities stay as they
 * are written.
 * @param name of the OVA, for errors
 * @throws Failure `ova-descriptor-invalid`, `ova-disk-count`, `ova-disk-unsupported` (integrity)
 */
export function parseDescriptor(name: string, xml: string): OvfSummary {
  const { References, DiskSection, VirtualSystem } = parseEnvelope(name, xml);
  const [disk, ...others] = DiskSection.Disk;
  if (!disk || others.length > 0) throw invalid(name, "disk-count", `it has ${DiskSection.Disk.length} disks, not one`);
  const unsupported = (found: string) => invalid(name, "disk-unsupported", `its disk ${found}`);
  if (disk["@parentRef"] !== undefined) throw unsupported("holds only what differs from another");
  if (!/vmdk/i.test(disk["@format"]))
    throw unsupported(`is of the format ${JSON.stringify(disk["@format"].slice(0, 120))}`);
  const files = References.File.filter((file) => file["@id"] === disk["@fileRef"]);
  const [file] = files;
  if (!file || files.length > 1) throw unsupported(`is in ${files.length} files`);
  const compression = file["@compression"] ?? "identity";
  if (compression !== "identity" && compression !== "") throw unsupported(`is compressed by ${compression}`);
  if (file["@chunkSize"] !== undefined) throw unsupported("is cut into chunks");
  const size = file["@size"];
  if (size !== undefined && !/^\d{1,15}$/.test(size)) {
    throw invalid(name, "descriptor-invalid", `its disk's size is ${JSON.stringify(size.slice(0, 40))}`);
  }
  const virtualSystem = VirtualSystem?.Name?.[0] ?? VirtualSystem?.["@id"];
  const operatingSystem = VirtualSystem?.OperatingSystemSection?.Description?.[0];
  return {
    diskFile: file["@href"],
    ...(size === undefined ? {} : { diskFileBytes: Number(size) }),
    ...(virtualSystem ? { virtualSystem } : {}),
    ...(operatingSystem ? { operatingSystem } : {}),
  };
}

function parseEnvelope(name: string, xml: string): z.infer<typeof envelopeSchema>["Envelope"] {
  if (/<!(DOCTYPE|ENTITY)/i.test(xml)) throw invalid(name, "descriptor-invalid", "its descriptor has a document type");
  const validity = XMLValidator.validate(xml);
  if (validity !== true) {
    throw invalid(
      name,
      "descriptor-invalid",
      `its descriptor is not XML: ${validity.err.msg} (line ${validity.err.line})`,
    );
  }
  const result = envelopeSchema.safeParse(parseXml(name, xml));
  if (result.success) return result.data.Envelope;
  const problems = result.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).slice(0, 5);
  throw invalid(name, "descriptor-invalid", `its descriptor is not one of OVF 1 or 2: ${problems.join("; ")}`);
}

function parseXml(name: string, xml: string): unknown {
  try {
    return parser.parse(xml);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw invalid(name, "descriptor-invalid", `its descriptor is not XML: ${reason}`, error);
  }
}
