import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findImage, loadCatalog } from "../../factory/catalog.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "catalog-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("the catalog that comes along", () => {
  it("is valid, and each file is named after its image", async () => {
    const catalog = await loadCatalog();
    expect(findImage(catalog, "debian-12")).toMatchObject({ family: "debian", format: "qcow2", license: "none" });
  });

  it("names images that are near to an unknown one", async () => {
    const catalog = await loadCatalog();
    expect(() => findImage(catalog, "debian12")).toThrow(
      expect.objectContaining({ code: "image-unknown", kind: "configuration", hint: "did you mean debian-12?" }),
    );
    expect(() => findImage(catalog, "windows")).toThrow(
      expect.objectContaining({ hint: expect.stringContaining("known images: debian-12") }),
    );
  });
});

describe("a folder of the user's own", () => {
  it("has all wrong fields of all files reported at once", async () => {
    await writeFile(join(folder, "one.yaml"), "name: One\ntitle: One\narch: mips\n");
    await writeFile(join(folder, "two.yaml"), "\tthis: [is not YAML");
    await expect(loadCatalog(folder)).rejects.toMatchObject({
      code: "catalog-invalid",
      message: expect.stringMatching(/one\.yaml: name: .*one\.yaml: arch: .*one\.yaml: source: .*two\.yaml: : /s),
    });
  });
});
