import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { Command } from "commander";
import { execa } from "execa";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { Failure } from "../../common/failure.ts";
import { findImage, loadCatalog } from "../../factory/catalog.ts";
import { addImagesCommand } from "../../factory/images-command.ts";
import { findOwnCatalog } from "../../factory/own-catalog.ts";

let own: string;
beforeEach(async () => {
  own = await mkdtemp(join(tmpdir(), "catalog-"));
  return () => rm(own, { recursive: true });
});

const put = (name: string, text: string) => writeFile(join(own, name), text);
const pinned = `checksum: sha256:${"ab".repeat(32)}`;

describe("the catalog that comes along", () => {
  it("has an image of every distribution that we promise", async () => {
    const catalog = await loadCatalog();
    const promised = [
      ...["debian-12", "debian-13", "ubuntu-22.04", "ubuntu-24.04", "ubuntu-26.04", "fedora-44", "opensuse-leap-16.0"],
      ...["almalinux", "rocky", "rhel"].flatMap((name) => [8, 9, 10].map((release) => `${name}-${release}`)),
      ...["centos-stream-9", "centos-stream-10", "rhel-7", "oracle-9"],
    ];
    expect([...catalog.keys()].sort()).toEqual(promised.sort());
    expect([...catalog.values()].filter(({ tested }) => tested === "boot").map(({ name }) => name)).toEqual([
      "debian-12",
      "debian-13",
    ]);
  });

  it("fills in what a distribution's images have in common", async () => {
    expect(findImage(await loadCatalog(), "debian-12")).toMatchObject({
      arch: "amd64",
      family: "debian",
      format: "qcow2",
      license: "none",
      firmware: ["bios", "uefi"],
      source: {
        kind: "listed",
        checksums: "https://cloud.debian.org/images/cloud/bookworm/latest/SHA512SUMS",
        algorithm: "sha512",
      },
      packages: {
        add: expect.arrayContaining(["linux-image-amd64"]),
        remove: expect.arrayContaining(["grub-cloud-amd64"]),
      },
      components: ["non-free-firmware"],
      origin: "built-in",
    });
  });

  it("asks RHEL's users for the file", async () => {
    const images = [...(await loadCatalog()).values()].filter(({ name }) => name.startsWith("rhel-"));
    for (const image of images) expect(image).toMatchObject({ license: "rhsm", source: { kind: "supplied" } });
  });

  it("fetches nothing over plain HTTP, and has each key that it pins", async () => {
    const used = new Set<string>();
    for (const { source, keyFolders } of (await loadCatalog()).values()) {
      if (source.kind === "supplied") continue;
      const { url, checksums, signature, key } = {
        checksums: "https:",
        signature: undefined,
        key: undefined,
        ...source,
      };
      for (const from of [url, checksums, signature ?? "inline"]) expect(from).toMatch(/^(https:|inline$)/);
      if (key === undefined) continue;
      used.add(`${key}.asc`);
      const [folder = ""] = keyFolders;
      const { stdout } = await execa("gpg", ["--show-keys", "--with-colons", join(folder, `${key}.asc`)]);
      const records = stdout.split("\n").map((line) => line.split(":"));
      expect(records.filter(([kind]) => kind === "pub")).toHaveLength(1);
      expect(records.find(([kind]) => kind === "fpr")?.[9]).toBe(key);
      expect(records.find(([kind]) => kind === "pub")?.[1]).not.toMatch(/[re]/);
    }
    const [
      {
        keyFolders: [folder = ""],
      } = { keyFolders: [] },
    ] = (await loadCatalog()).values();
    expect(new Set(await readdir(folder))).toEqual(used);
  });

  it("names images that are near to an unknown one", async () => {
    const catalog = await loadCatalog();
    expect(() => findImage(catalog, "debian12")).toThrow(
      expect.objectContaining({
        code: "image-unknown",
        kind: "configuration",
        hint: expect.stringMatching(/^did you mean debian-12 or /),
      }),
    );
    expect(() => findImage(catalog, "windows")).toThrow(
      expect.objectContaining({
        hint: expect.stringContaining("known images: almalinux-8, almalinux-9, almalinux-10"),
      }),
    );
  });
});

describe("a folder of the user's own", () => {
  it("adds images, with our distributions and its own", async () => {
    await put(
      "debian-13-mirror.yaml",
      "title: Ours\ndistribution: debian\nformat: raw.xz\nsource: { url: https://mirror.test/d13.raw.xz }\n",
    );
    await put(
      "lunar.yaml",
      `title: Lunar\ndistribution: moon\nsource: { url: https://mirror.test/l.tar.zst, ${pinned} }\n`,
    );
    await mkdir(join(own, "distributions"));
    await put("distributions/moon.yaml", "family: suse\nformat: tar.zst\nfirmware: [uefi]\n");
    const catalog = await loadCatalog(own);
    expect(catalog.size).toBe((await loadCatalog()).size + 2);
    expect(catalog.get("debian-13-mirror")).toMatchObject({
      format: "raw.xz",
      origin: "own",
      source: { checksums: "https://mirror.test/SHA512SUMS", algorithm: "sha512" },
      components: ["non-free-firmware"],
    });
    expect(catalog.get("lunar")).toMatchObject({ family: "suse", firmware: ["uefi"], source: { kind: "pinned" } });
  });

  it("takes the place of a built-in image, which is shown, and brings a source of another kind", async () => {
    await put(
      "rhel-9.yaml",
      `title: Ours\ndistribution: rhel\nsource: { url: https://mirror.test/rhel.qcow2, ${pinned} }\n`,
    );
    const image = findImage(await loadCatalog(own), "rhel-9");
    expect(image).toMatchObject({ origin: "override", license: "rhsm", file: join(own, "rhel-9.yaml") });
    expect(image.source).toEqual({
      kind: "pinned",
      url: "https://mirror.test/rhel.qcow2",
      checksum: `sha256:${"ab".repeat(32)}`,
    });
    expect(image.keyFolders[0]).toBe(join(own, "keys"));
  });

  it("has all wrong fields of all files reported at once", async () => {
    await put("one.yaml", "title: ''\narch: mips\nunknown: 1\nsource: { url: 'ftp://x', checksums: SUMS, key: abc }\n");
    await put("two.yaml", "\tthis: [is not YAML");
    await put("three.yaml", "title: Three\ndistribution: ../debian\n");
    await put(
      "Four.yaml",
      `title: Four\nfamily: suse\nformat: zip\nsource: { url: https://x.test/a, checksum: md5:1 }\n`,
    );
    const failure = await loadCatalog(own).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "catalog-invalid", kind: "configuration" });
    const problems = failure instanceof Failure ? [failure.data.problems].flat().map(String) : [];
    const places = problems.map((problem) => problem.split(": ").slice(0, 2).join(": "));
    expect(new Set(places)).toEqual(
      new Set([
        ...["name", "format", "source.checksum"].map((field) => `Four.yaml: ${field}`),
        ...[
          "title",
          "arch",
          "family",
          "format",
          "source",
          "source.url",
          "source.checksums",
          "source.key",
          "(whole)",
        ].map((field) => `one.yaml: ${field}`),
        "three.yaml: distribution",
        "two.yaml: (whole)",
      ]),
    );
  });

  it("refuses a signature without the key that makes it worth something", async () => {
    await put(
      "one.yaml",
      "title: One\nfamily: suse\nformat: raw\nsource: { url: https://x.test/a.raw, checksums: SUMS, signature: SUMS.asc }\n",
    );
    await expect(loadCatalog(own)).rejects.toThrow("source: expected signature and key, both or neither");
  });

  it("is looked for where users expect it", async () => {
    const home = { HOME: own };
    expect(await findOwnCatalog("given", { METALCAST_CATALOG: "named" })).toBe("given");
    expect(await findOwnCatalog(undefined, { ...home, METALCAST_CATALOG: "named" })).toBe("named");
    expect(await findOwnCatalog(undefined, home)).toBeUndefined();
    await mkdir(join(own, ".config/metalcast/catalog"), { recursive: true });
    expect(await findOwnCatalog(undefined, home)).toBe(join(own, ".config/metalcast/catalog"));
    await expect(loadCatalog(join(own, "nothing"))).rejects.toMatchObject({ code: "catalog-missing" });
  });
});

describe("the verb images", () => {
  const print = async (...words: string[]) => {
    const written = vi.spyOn(process.stdout, "write").mockReturnValue(true);
    try {
      const program = new Command().option("--json");
      addImagesCommand(program);
      await program.parseAsync(["images", "--catalog", own, ...words], { from: "user" });
      return written.mock.calls.map(([text]) => String(text)).join("");
    } finally {
      written.mockRestore();
    }
  };

  it("says how each image is verified, and what was booted", async () => {
    await put("rocky-8.yaml", `title: Ours\ndistribution: rocky\nsource: { url: https://x.test/r.qcow2, ${pinned} }\n`);
    const rows = (await print()).split("\n").map((line) => line.split(/ {2,}/));
    expect(rows[0]).toEqual(["image", "family", "format", "license", "verified by", "tested", "catalog", "source"]);
    const row = (name: string) => rows.find(([first]) => first === name)?.slice(1, 7);
    expect(row("debian-13")).toEqual(["debian", "qcow2", "none", "vendor's checksum", "booted here", "built-in"]);
    expect(row("fedora-44")).toEqual(["redhat", "qcow2", "none", "signed checksum", "recipe only", "built-in"]);
    expect(row("rhel-10")).toEqual(["redhat", "qcow2", "rhsm", "your --checksum", "recipe only", "built-in"]);
    expect(row("rocky-8")).toEqual([
      "redhat",
      "qcow2",
      "none",
      "pinned checksum",
      "recipe only",
      "yours, in place of ours",
    ]);
  });

  it("writes JSON for programs", async () => {
    const images: { name: string; file: string; verification: string }[] = JSON.parse(await print("--json"));
    expect(images.find(({ name }) => name === "ubuntu-24.04")).toMatchObject({
      verification: "signature",
      tested: "recipe",
    });
    expect(images.every(({ name, file }) => basename(file) === `${name}.yaml`)).toBe(true);
  });
});
