import { expect, test } from "vitest";
import { findImage, loadCatalog } from "../../factory/catalog.ts";
import { describeBuild, outlineBuild } from "../../factory/describe-build.ts";

const catalog = await loadCatalog();

test("a download is told with what it is verified against", () => {
  const outline = outlineBuild({ image: findImage(catalog, "rocky-9"), output: "/srv/out" });
  expect(outline).toMatchObject({
    image: "rocky-9",
    verifiedBy: "signed checksum",
    format: "qcow2",
    customize: "chroot",
  });
  expect(describeBuild(outline)).toMatch(/^source +https:\/\/dl\.rockylinux\.org\/.*\nverified by +signed checksum$/m);
});

test("a file of one's own stands in for the download", () => {
  const options = {
    image: findImage(catalog, "debian-12"),
    output: "out",
    source: "/srv/debian.ova",
    format: "ova",
  } as const;
  expect(outlineBuild({ ...options, customize: { way: "qemu", accelerator: "auto" } })).toEqual({
    image: "debian-12",
    source: "/srv/debian.ova",
    verifiedBy: "your --checksum",
    format: "ova",
    customize: "qemu",
    packages: { add: expect.any(Array), remove: expect.any(Array) },
    output: `${process.cwd()}/out`,
  });
});
