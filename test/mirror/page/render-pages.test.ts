import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { loadJob } from "../../../installer/job.ts";
import type { Manifest } from "../../../mirror/manifest.ts";
import type { MirrorContents } from "../../../mirror/page/contents.ts";
import { renderMirrorPages } from "../../../mirror/page/render-pages.ts";
import { temporaryDirectory } from "../sample-image.ts";
import { sampleContents } from "./sample-contents.ts";

const pageOf = (contents: MirrorContents, key: string) => {
  const page = renderMirrorPages(contents).find((file) => file.key === key);
  return Buffer.from(page?.bytes ?? "").toString("utf8");
};
const debianKey = "images/debian-12/amd64/index.html";

test("there is a page for the mirror, and one for each image that has a version", () => {
  const { images, ...rest } = sampleContents();
  const unpublished = { name: "fedora-44", arch: "amd64", channels: {}, versions: [] } as const;
  const pages = renderMirrorPages({ ...rest, images: [...images, unpublished] });
  expect(pages.map(({ key }) => key)).toEqual([
    "index.html",
    ...images.map(({ name, arch }) => `images/${name}/${arch}/index.html`),
  ]);
  expect(new Set(pages.map(({ contentType }) => contentType))).toEqual(new Set(["text/html; charset=utf-8"]));
});

test("the mirror's page tells each image's system, version, size and firmware, and leads to its page", () => {
  const page = pageOf({ ...sampleContents(), title: "Mirror & Sons" }, "index.html");
  expect(page).toContain("<title>Mirror &amp; Sons</title>");
  expect(page).toContain('<a href="images/debian-12/arm64/index.html">Debian GNU/Linux 12 (bookworm)</a>');
  expect(page).toContain("20261123.0");
  expect(page).toContain("412 MiB to download, 1.2 GiB on disk");
  expect(page).toContain("<li>Secure Boot</li>");
  expect(page).toContain("30 November 2026</time>");
  expect(page).toMatch(/data-search="[^"]*debian-12 amd64[^"]*6\.1\.0-40-amd64[^"]*mdadm/);
});

test("an image's page tells all that its manifest does", () => {
  const page = pageOf(sampleContents(), debianKey);
  for (const text of [
    "stable: 20261123.0",
    "candidate: 20261130.0",
    "6.1.0-40-amd64",
    "BIOS, UEFI, Secure Boot",
    "4.0 GiB or more",
    "xfsprogs",
    "none needed",
    "by the vendor&#39;s signature, made with the key DF9B9C49EAA9298432589D76DA87E80D6294BE9B",
    "sha512:",
    ">Qualification</p>",
    "ASRockRack X570D4U",
    "did not pass",
    '<span>Dell Inc. PowerEdge R650</span><span class="tags"><span class="stable">passed</span></span>',
    "full · <time",
    "25 November 2026</time>",
    "packer 1.6.6",
    "1.2 GiB unpacked",
  ]) {
    expect(page).toContain(text);
  }
  const report = sampleContents().images[0]?.versions[1]?.qualified?.[1]?.reportSha256;
  expect(page).toContain(`href="20261123.0/qualified-${report}.json">report</a>`);
  for (const file of ["image.tar.zst", "manifest.json", "sbom.cdx.json", "SHA256SUMS"]) {
    expect(page).toContain(`href="20261123.0/${file}"`);
  }
  expect(page).toContain('href="https://cloud.debian.org/');
  expect(page).toContain('href="../arm64/index.html"');
});

test("the job follows stable, else another channel, else the version; a license is told", () => {
  const { images, ...rest } = sampleContents();
  const jobOf = (channels: Record<string, string>) => {
    const contents = {
      ...rest,
      url: "https://mirror.example.com/m",
      images: images.map((image) => ({ ...image, channels })),
    };
    return /<pre[^>]*>(image: [^<]*)<\/pre>/.exec(pageOf(contents, "images/rhel-10/amd64/index.html"))?.[1];
  };
  expect(jobOf({ candidate: "20261130.0", stable: "20261123.0" })).toContain(
    "image: rhel-10\nmirror: https://mirror.example.com/m\nmirrorRoot: ./root.json\n",
  );
  expect(jobOf({ candidate: "20261123.0" })).toContain("image: rhel-10:candidate\n");
  expect(jobOf({})).toContain("image: rhel-10@20261130.0\n");
  expect(jobOf({})).toContain("license: none");
  expect(pageOf(sampleContents(), debianKey)).not.toContain("license: none");
});

test("the job is one", async () => {
  await using directory = await temporaryDirectory();
  const file = join(directory.path, "job.yaml");
  await writeFile(join(directory.path, "root.json"), "{}");
  const [, job = ""] = /<pre[^>]*>(image: .*?)<\/pre>/s.exec(pageOf(sampleContents(), debianKey)) ?? [];
  await writeFile(
    file,
    job
      .replace(/<[^>]*>/g, "")
      .replaceAll("&quot;", '"')
      .replace("AAAA...", `AAAAC3NzaC1lZDI1NTE5${"A".repeat(48)}`),
  );
  expect(await loadJob(file)).toMatchObject({ image: "debian-12", mirror: "https://mirror.example.net" });
});

test("a file that is not listed has no link, and only addresses of the web become links", () => {
  const page = pageOf(
    withManifest((manifest) => ({
      ...manifest,
      files: manifest.files.slice(0, 1),
      source: { ...manifest.source, url: "javascript:alert(1)" },
    })),
    debianKey,
  );
  expect(page).not.toContain("sbom.cdx.json");
  expect(page).toContain("<span>javascript:alert(1)</span>");
  for (const [, address = ""] of page.matchAll(/href="([^"]*)"/g)) {
    expect(address).toMatch(/^(#main|data:image\/svg\+xml,|https:|\.\.\/|\d{8}\.\d\/)/);
  }
});

test("the policy names the one style and the one script, by their hashes, and nothing else is in a page", () => {
  for (const { bytes } of renderMirrorPages(sampleContents())) {
    const page = Buffer.from(bytes).toString("utf8");
    for (const element of ["style", "script"]) {
      const [, content = "", ...more] = page.split(new RegExp(`<${element}>|</${element}>`));
      expect(more).toHaveLength(1);
      expect(page).toContain(
        `${element}-src &#39;sha256-${createHash("sha256").update(content).digest("base64")}&#39;`,
      );
    }
    expect(page).not.toMatch(/ (style|on\w+)="/);
    expect(page).not.toMatch(/<(img|iframe|object|base)\b|src="/);
  }
});

test("no text of a manifest can be more than text", () => {
  const piece = fc.constantFrom(
    "<",
    ">",
    '"',
    "'",
    "&",
    "</script>",
    "<!--",
    "]]>",
    "\0",
    "\u202e",
    "\ud800",
    "&lt;",
    "javascript:",
    "`",
    "=",
    " ",
  );
  const hostile = fc.array(fc.oneof(piece, fc.string({ unit: "binary", maxLength: 8 })), {
    minLength: 1,
    maxLength: 6,
  });
  const skeletons = renderMirrorPages(withText("x")).map(({ bytes }) => skeletonOf(bytes));
  fc.assert(
    fc.property(
      hostile.map((pieces) => `x${pieces.join("")}`),
      (text) => {
        const pages = renderMirrorPages(withText(text));
        expect(pages.map(({ bytes }) => skeletonOf(bytes))).toEqual(skeletons);
      },
    ),
    { numRuns: 200 },
  );
});

/** The tags alone, with the names of their attributes: what text must not change. */
function skeletonOf(bytes: Uint8Array): string {
  const page = Buffer.from(bytes).toString("utf8");
  const body = page.replace(/<(style|script)>.*?<\/\1>/gs, "<$1></$1>");
  expect(body.replace(/<[^<>]*>/g, "")).not.toMatch(/[<>]/);
  expect(body).not.toMatch(/&(?!(amp|lt|gt|quot|#39);)/);
  return (body.match(/<[^<>]*>/g) ?? []).map((tag) => tag.replace(/="[^"]*"/g, "=")).join("");
}

/** The mirror, with a text in every place where an image has one. */
function withText(text: string): MirrorContents {
  const { images, ...rest } = sampleContents();
  const channels = { stable: "20261123.0", [`c${text}`]: "20261130.0" };
  const replaced = images.slice(0, 2).map((image) => ({
    ...image,
    channels,
    versions: image.versions.map((contents) => ({
      ...contents,
      qualified: contents.qualified?.map((entry) => ({ ...entry, hardware: text, profile: text, at: text })) ?? [],
      manifestSha256: text,
      manifest: replaceTexts(contents.manifest, text),
    })),
  }));
  return { ...rest, title: text, url: text, updatedAt: text, images: replaced };
}

function replaceTexts(manifest: Manifest, text: string): Manifest {
  return {
    ...manifest,
    osRelease: { PRETTY_NAME: text, [text]: text },
    kernels: [text],
    preinstalled: [text],
    initramfs: { ...manifest.initramfs, programs: [text] },
    source: { url: text, checksum: text, verifiedBy: "signature", signedBy: text },
    build: { ...manifest.build, date: text, templateSha256: text, tools: { [text]: text } },
  };
}

function withManifest(change: (manifest: Manifest) => Manifest): MirrorContents {
  const { images, ...rest } = sampleContents();
  const versionsOf = (image: (typeof images)[number]) =>
    image.versions.map((contents) => ({ ...contents, manifest: change(contents.manifest) }));
  return { ...rest, images: images.map((image) => ({ ...image, versions: versionsOf(image) })) };
}
