import { createHash } from "node:crypto";
import type { Models } from "@cyclonedx/cyclonedx-library";
import { PackageURL } from "packageurl-js";
import { Failure } from "../common/failure.ts";
import { readOsRelease } from "./families/os-release.ts";
import type { InstalledPackage } from "./packages/installed-package.ts";
import { readPackages } from "./packages/read-packages.ts";

/** Lies beside the archive. */
export const sbomName = "sbom.cdx.json";

/** The image that the packages are of. */
export interface SbomSubject {
  name: string;
  version: string;
  /** Of the build. */
  date: Date;
}

/**
 * Makes a bill of materials, CycloneDX 1.6 as JSON, of what the image's own package database lists.
 * The same tree, name, version and date give the same text. Nothing of the tree is run.
 * @throws Failure `package-database-missing`, `file-missing` (failed), `package-database-invalid` (integrity)
 */
export async function createSbom(tree: string, subject: SbomSubject): Promise<string> {
  const osRelease = await readOsRelease(tree);
  const packages = await readPackages(tree);
  if (packages === undefined) {
    const message = "writing the bill of materials: the image has neither dpkg's database nor rpm's";
    throw new Failure({ code: "package-database-missing", kind: "failed", message });
  }
  // Large, and only for those who build: every other verb starts without it.
  const cyclonedx = await import("@cyclonedx/cyclonedx-library");
  const { Enums, Models, Serialize, Spec } = cyclonedx;
  const described = packages.map((installed) => describePackage(cyclonedx, installed, osRelease));
  // A package that a database names twice is one.
  const components = [...new Map(described.map((component) => [component.purl, component])).values()];
  const image = new Models.Component(Enums.ComponentType.OperatingSystem, subject.name, {
    bomRef: `image:${subject.name}@${subject.version}`,
    version: subject.version,
    ...(osRelease.PRETTY_NAME && { description: osRelease.PRETTY_NAME }),
  });
  const builder = new Models.Component(Enums.ComponentType.Application, "metalcast");
  const bom = new Models.Bom({
    serialNumber: deriveSerialNumber(subject, components),
    metadata: new Models.Metadata({
      timestamp: subject.date,
      tools: new Models.Tools({ components: new Models.ComponentRepository([builder]) }),
      component: image,
    }),
    components: new Models.ComponentRepository(components),
  });
  const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6));
  return `${serializer.serialize(bom, { sortLists: true, space: 2 })}\n`;
}

/** Package URLs as purl-spec's types "deb" and "rpm" have them. */
function describePackage(
  { Enums, Models }: typeof import("@cyclonedx/cyclonedx-library"),
  installed: InstalledPackage,
  osRelease: Record<string, string>,
): Models.Component {
  const { format, name, version, epoch, arch, source, supplier } = installed;
  const { ID: vendor = "linux", VERSION_ID } = osRelease;
  const qualifiers = {
    ...(arch && { arch }),
    distro: VERSION_ID ? `${vendor}-${VERSION_ID}` : vendor,
    ...(epoch === undefined ? {} : { epoch: String(epoch) }),
  };
  const purl = new PackageURL(format, vendor, name, version, qualifiers, undefined).toString();
  const component = new Models.Component(Enums.ComponentType.Library, name, { bomRef: purl, version, purl });
  if (supplier !== undefined) component.supplier = new Models.OrganizationalEntity({ name: supplier });
  if (source !== undefined) component.properties.add(new Models.Property("metalcast:source-package", source));
  return component;
}

/** A UUID of version 8, whose bits are ours to choose (RFC 9562, 5.8): the same materials have the same number. */
function deriveSerialNumber({ name, version, date }: SbomSubject, components: readonly Models.Component[]): string {
  const materials = [name, version, date.toISOString(), ...components.map(({ purl }) => purl)];
  const digest = createHash("sha256").update(JSON.stringify(materials)).digest("hex");
  const groups = [digest.slice(0, 8), digest.slice(8, 12), `8${digest.slice(13, 16)}`, `8${digest.slice(17, 20)}`];
  return `urn:uuid:${groups.join("-")}-${digest.slice(20, 32)}`;
}
