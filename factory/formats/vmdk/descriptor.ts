import { type ByteSource, readExactly } from "../source.ts";
import { sectorBytes, type VmdkHeader } from "./header.ts";
import { invalid } from "./invalid.ts";

/** A disk that lies whole in this one file. */
export type Subformat = "monolithicSparse" | "streamOptimized";

const noParent = "ffffffff";

/**
 * Reads the descriptor inside a sparse extent, and refuses disks of which this file is not all. Names of files in it
 * are never followed. Source: VMware, "Virtual Disk Format 5.0", "The Descriptor File".
 * @throws Failure `vmdk-descriptor-invalid`, `vmdk-parent`, `vmdk-external-extents`, `vmdk-encrypted`,
 *   `image-truncated` (integrity)
 */
export async function readDescriptor(source: ByteSource, header: VmdkHeader): Promise<Subformat> {
  const { descriptorOffset, descriptorBytes } = header;
  if (descriptorOffset === 0 || descriptorBytes === 0) {
    throw invalid(source, "external-extents", "it has no descriptor, as the parts of a split disk");
  }
  const bytes = await readExactly(source, descriptorOffset, descriptorBytes, "the descriptor");
  const text = bytes.toString("latin1").split("\0", 1)[0] ?? "";
  const { settings, extents } = parseDescriptor(source, text);

  if ([...settings.keys()].some((key) => /encrypt|^key(safe|id)/.test(key))) {
    throw invalid(source, "encrypted", "its descriptor names encryption keys");
  }
  const parent = settings.get("parentcid");
  if ((parent !== undefined && parent.toLowerCase() !== noParent) || settings.has("parentfilenamehint")) {
    throw invalid(source, "parent", "it holds only what differs from a parent disk");
  }
  const subformat = header.compressed ? "streamOptimized" : "monolithicSparse";
  const declared = settings.get("createtype");
  const [extent, ...others] = extents;
  if (declared !== subformat || others.length > 0 || extent?.type !== "SPARSE") {
    const types = extents.map(({ type }) => type).join(", ");
    throw invalid(source, "external-extents", `its type is ${declared ?? "unknown"} with extents: ${types || "none"}`);
  }
  if (extent.sectors * sectorBytes !== header.virtualSizeBytes) {
    throw invalid(source, "descriptor-invalid", `descriptor and header disagree on the size of the disk`);
  }
  return subformat;
}

interface Extent {
  sectors: number;
  type: string;
}

/** Keys in lower case: VMware's are written in several ways, `parentCID` and `parentCid` among them. */
function parseDescriptor(source: ByteSource, text: string): { settings: Map<string, string>; extents: Extent[] } {
  if (!text.startsWith("# Disk DescriptorFile")) throw invalid(source, "descriptor-invalid", "it has no descriptor");
  const settings = new Map<string, string>();
  const extents: Extent[] = [];
  for (const line of text.split(/\r?\n/).map((each) => each.trim())) {
    if (line === "" || line.startsWith("#")) continue;
    const [, sectors, type] = /^(?:RW|RDONLY) (\d{1,15}) ([A-Z]+)\b/.exec(line) ?? [];
    const [, key, quoted, plain] = /^([\w.:-]+) ?= ?(?:"([^"]*)"|([^"]*))$/.exec(line) ?? [];
    if (type !== undefined) {
      extents.push({ sectors: Number(sectors), type });
    } else if (key !== undefined && !settings.has(key.toLowerCase())) {
      settings.set(key.toLowerCase(), quoted ?? plain ?? "");
    } else {
      throw invalid(source, "descriptor-invalid", `its descriptor says ${JSON.stringify(line.slice(0, 80))}`);
    }
  }
  return { settings, extents };
}
