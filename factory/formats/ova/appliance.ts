import { type ByteSource, readExactly } from "../source.ts";
import { maximumDescriptorBytes, type OvfSummary, parseDescriptor } from "./descriptor.ts";
import { invalid } from "./invalid.ts";
import { assertMember, type ManifestDigest, parseManifest } from "./manifest.ts";
import { listMembers } from "./members.ts";

export interface Appliance {
  summary: OvfSummary;
  /** The VMDK, in place. */
  disk: ByteSource;
  /** What the manifest says of the disk. It is the caller's to check. Absent where there is no manifest. */
  diskDigest?: ManifestDigest;
  /** There is a certificate. It is not verified: what vouches for an image is its vendor's checksum. */
  hasCertificate: boolean;
}

/**
 * Opens an OVA: descriptor first, manifest if any, one disk. The descriptor is held against the manifest.
 * Source: DMTF, DSP0243, "Distribution as a Single File": the manifest follows the descriptor, or comes after all files.
 * @throws Failure `ova-` and an OvaProblem, `image-truncated` (integrity)
 */
export async function openAppliance(archive: ByteSource): Promise<Appliance> {
  const members = await listMembers(archive);
  const [descriptor] = members;
  if (
    !descriptor ||
    members.filter(({ name }) => name.endsWith(".ovf")).length !== 1 ||
    !descriptor.name.endsWith(".ovf")
  ) {
    throw invalid(archive.name, "descriptor-invalid", "its first file, and no other, must be the .ovf descriptor");
  }
  const summary = parseDescriptor(archive.name, await readText(archive, descriptor));
  const digests = await readDigests(archive, members);
  const digestOf = (member: ByteSource) => {
    const digest = digests?.get(member.name);
    if (digests && !digest) throw invalid(archive.name, "manifest-invalid", `its manifest leaves out ${member.name}`);
    return digest;
  };
  const descriptorDigest = digestOf(descriptor);
  if (descriptorDigest) await assertMember(archive.name, descriptor, descriptorDigest);
  const disk = findDisk(archive, members, summary);
  const diskDigest = digestOf(disk);
  const hasCertificate = members.some(({ name }) => name.endsWith(".cert"));
  return { summary, disk, hasCertificate, ...(diskDigest && { diskDigest }) };
}

async function readDigests(archive: ByteSource, members: ByteSource[]) {
  const [manifest, ...others] = members.filter(({ name }) => name.endsWith(".mf"));
  if (others.length > 0) throw invalid(archive.name, "manifest-invalid", "it has several manifests");
  return manifest && parseManifest(archive.name, await readText(archive, manifest));
}

function findDisk(archive: ByteSource, members: ByteSource[], { diskFile, diskFileBytes }: OvfSummary): ByteSource {
  const shown = JSON.stringify(diskFile.slice(0, 200));
  const disk = members.find(({ name }) => name === diskFile);
  if (!disk) throw invalid(archive.name, "disk-unsupported", `its disk ${shown} is not in it`);
  if (diskFileBytes === undefined || diskFileBytes === disk.sizeBytes) return disk;
  const sizes = `${diskFileBytes} bytes, and has ${disk.sizeBytes}`;
  throw invalid(archive.name, "descriptor-invalid", `its disk ${shown} is said to have ${sizes}`);
}

async function readText(archive: ByteSource, member: ByteSource): Promise<string> {
  if (member.sizeBytes > maximumDescriptorBytes) {
    throw invalid(archive.name, "descriptor-invalid", `${member.name} has ${member.sizeBytes} bytes`);
  }
  return (await readExactly(member, 0, member.sizeBytes, "it")).toString("utf8");
}
