import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
import { expect, it } from "vitest";
import { createSbom } from "../../factory/sbom.ts";
import { dpkgStatus, ImageTree } from "./image-tree.ts";
import { ndbOf, rpmHeader } from "./packages/rpm-database.ts";

const subject = { name: "sample", version: "20261124.0", date: new Date("2026-11-24T01:02:03Z") };
const debian = { "usr/lib/os-release": "ID=debian\nVERSION_ID=12\nPRETTY_NAME=Debian\n" };
const suse = { "usr/lib/os-release": 'ID="opensuse-leap"\nVERSION_ID="15.6"\n' };

it("lists dpkg's packages with their package URLs, as CycloneDX's own schema wants it", async () => {
  const status = `${dpkgStatus("bash")}\nPackage: g++\nStatus: install ok installed\nVersion: 4:12.2-3\nArchitecture: amd64\nSource: gcc\nMaintainer: Debian\n`;
  await using tree = await ImageTree.make({ ...debian, "var/lib/dpkg/status": status });
  const text = await createSbom(tree.path, subject);
  const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6);
  expect(await validator.validate(text)).toBeNull();
  expect(JSON.parse(text)).toMatchObject({
    specVersion: "1.6",
    metadata: {
      timestamp: "2026-11-24T01:02:03.000Z",
      component: { type: "operating-system", name: "sample", version: "20261124.0" },
    },
    components: [
      { name: "bash", version: "1.0-1", purl: "pkg:deb/debian/bash@1.0-1?arch=amd64&distro=debian-12" },
      {
        name: "g++",
        purl: "pkg:deb/debian/g%2B%2B@4:12.2-3?arch=amd64&distro=debian-12",
        supplier: { name: "Debian" },
        properties: [{ name: "metalcast:source-package", value: "gcc" }],
      },
    ],
  });
});

it("lists rpm's packages, one that is named twice once", async () => {
  const headers = ["zlib", "bash", "bash"].map((name) => rpmHeader({ name, epoch: 2 }));
  await using tree = await ImageTree.make({ ...suse, "usr/lib/sysimage/rpm/Packages.db": ndbOf(headers) });
  const text = await createSbom(tree.path, subject);
  expect(await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text)).toBeNull();
  const { components } = JSON.parse(text);
  const qualifiers = "arch=x86_64&distro=opensuse-leap-15.6&epoch=2";
  expect(components.map(({ purl }: { purl: string }) => purl)).toEqual([
    `pkg:rpm/opensuse-leap/bash@1.0-1?${qualifiers}`,
    `pkg:rpm/opensuse-leap/zlib@1.0-1?${qualifiers}`,
  ]);
});

it("is the same text for the same tree, name, version and date, and another for another package", async () => {
  await using tree = await ImageTree.make({ ...debian, "var/lib/dpkg/status": dpkgStatus("bash", "acl") });
  await using other = await ImageTree.make({ ...debian, "var/lib/dpkg/status": dpkgStatus("acl", "bash") });
  const text = await createSbom(tree.path, subject);
  expect(await createSbom(other.path, subject)).toBe(text);
  await other.put("var/lib/dpkg/status", dpkgStatus("acl"));
  const serial = (bom: string): string => JSON.parse(bom).serialNumber;
  expect(serial(await createSbom(other.path, subject))).not.toBe(serial(text));
});

it("is refused of a tree without a package database", async () => {
  await using tree = await ImageTree.make(debian);
  await expect(createSbom(tree.path, subject)).rejects.toMatchObject({ code: "package-database-missing" });
});
