import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { MirrorContents } from "../../mirror/page/contents.ts";
import { renderMirrorPages } from "../../mirror/page/render-pages.ts";
import { renderStreams } from "../../mirror/page/streams.ts";
import { type ServedMirror, serveMirror } from "../../mirror/serve/serve-mirror.ts";
import { sampleContents } from "../mirror/page/sample-contents.ts";

let root: string;
let mirror: ServedMirror;
let browser: Browser;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "mirror-page-"));
  await write("", sampleContents());
  await write("hostile/", hostileContents());
  mirror = await serveMirror(root, { port: 0 });
  const args = ["--no-sandbox", "--disable-gpu"];
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args, timeout: 10 * 60_000 });
});

afterAll(async () => {
  await browser?.close();
  await mirror?.close();
  await rm(root, { recursive: true });
});

const index = "index.html";
const debian = "images/debian-12/amd64/index.html";

test("search and filters leave what matches, and say how much that is", async () => {
  await using page = await open(index);
  const shown = async () => (await page.locator(".images > li:visible h2").allTextContents()).join("; ");
  const count = page.getByRole("status");
  expect(await count.textContent()).toBe("7 images");
  await page.getByLabel("Search").fill("debian BOOKWORM");
  expect(await shown()).toBe("Debian GNU/Linux 12 (bookworm); Debian GNU/Linux 12 (bookworm)");
  expect(await count.textContent()).toBe("2 of 7 images");
  await page.getByLabel("Architecture").selectOption("arm64");
  expect(await count.textContent()).toBe("1 of 7 images");
  await page.getByLabel("Architecture").selectOption("");
  await page.getByLabel("Search").fill("");
  await page.getByLabel("Family").selectOption("suse");
  expect(await shown()).toBe("openSUSE Leap 16.0");
  await page.getByLabel("Search").fill("no such image");
  expect(await shown()).toBe("");
  expect(await count.textContent()).toBe("No image matches.");
});

test("the job has the mirror's address, and a button copies it", async () => {
  await using page = await open(debian, { permissions: ["clipboard-read", "clipboard-write"] });
  const address = mirror.url.replace(/\/$/, "");
  await page.getByRole("button", { name: "Copy job.yaml" }).click();
  await page.getByText("Copied").waitFor();
  const copied: unknown = await page.evaluate("navigator.clipboard.readText()");
  expect(copied).toContain(`image: debian-12\nmirror: ${address}\nmirrorRoot: ./root.json\ndisks: { count: 2 }\n`);
  expect(await page.locator(".advice").isVisible()).toBe(false);
});

test("by keyboard alone: to the first image, and to its button", async () => {
  await using page = await open(index);
  const focused = () => page.evaluate("document.activeElement.textContent.trim()");
  await page.keyboard.press("Tab");
  expect(await focused()).toBe("Skip to the content");
  for (let presses = 0; presses < 4; presses += 1) await page.keyboard.press("Tab");
  expect(await focused()).toBe("Debian GNU/Linux 12 (bookworm)");
  const outline = `getComputedStyle(document.activeElement, "::after").outlineStyle`;
  expect(await page.evaluate(outline)).toBe("solid");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/images/debian-12/amd64/index.html");
  expect(await page.getByRole("heading", { level: 1 }).textContent()).toBe("Debian GNU/Linux 12 (bookworm)");
});

test("without JavaScript all content is there, and nothing that would need it", async () => {
  await using page = await open(index, { javaScriptEnabled: false });
  expect(await page.locator(".images > li:visible").count()).toBe(7);
  expect(await page.getByText("7 images").isVisible()).toBe(true);
  expect(await page.getByLabel("Search").isVisible()).toBe(false);
  await page.goto(mirror.url + debian);
  expect(await page.getByText("mirror: https://mirror.example.net").isVisible()).toBe(true);
  expect(await page.locator(".advice").isVisible()).toBe(true);
  expect(await page.locator("button:visible").count()).toBe(0);
  await page.locator("summary").first().click();
  expect(await page.getByText("6.1.0-40-amd64").first().isVisible()).toBe(true);
});

test.each([
  [1280, "light"],
  [1280, "dark"],
  [360, "light"],
  [360, "dark"],
] as const)(
  "at a width of %i, %s: nothing to scroll to the side, and text that can be read",
  async (width, colorScheme) => {
    for (const path of [index, debian, "images/rhel-10/amd64/index.html", `hostile/${debian}`]) {
      await using page = await open(path, { viewport: { width, height: 800 }, colorScheme });
      expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth"), path).toBeLessThanOrEqual(0);
      expect(await page.evaluate(leastContrast), path).toBeGreaterThanOrEqual(4.5);
    }
  },
);

test("a hostile manifest changes nothing but text", async () => {
  await using page = await open(`hostile/${debian}`);
  expect(await page.evaluate("window.broken")).toBeUndefined();
  expect(await page.locator("img, iframe, main script").count()).toBe(0);
  expect(await page.getByRole("heading", { level: 1 }).textContent()).toBe(hostileText.replace("\u202e", "\ufffd"));
  await page.goto(`${mirror.url}hostile/${index}`);
  await page.getByLabel("Search").fill("<img");
  expect(await page.evaluate("window.broken")).toBeUndefined();
  expect(await page.locator(".images > li:visible").count()).toBe(7);
});

/** A page whose every message, error and request is looked at when it is done with. */
async function open(path: string, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(5 * 60_000);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(error.message));
  context.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(mirror.url) && !url.startsWith("data:")) complaints.push(`asks for ${url}`);
  });
  context.on("response", (response) => {
    if (response.status() >= 400) complaints.push(`${response.status()} for ${response.url()}`);
  });
  await page.goto(mirror.url + path);
  return Object.assign(page, {
    async [Symbol.asyncDispose]() {
      await context.close();
      expect(complaints).toEqual([]);
    },
  });
}

/** Of text on what lies behind it, over all that is seen (WCAG 2.2, 1.4.3: 4.5 at least). Colors here have no alpha. */
const leastContrast = `(() => {
  const channels = (color) => color.match(/[\\d.]+/g).slice(0, 3).map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  const luminance = (color) => { const [r, g, b] = channels(color); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = (element) => {
    const color = getComputedStyle(element).backgroundColor;
    return color === "rgba(0, 0, 0, 0)" ? (element.parentElement ? behind(element.parentElement) : "rgb(255, 255, 255)") : color;
  };
  const texts = [...document.body.querySelectorAll("*")].filter((element) => element.checkVisibility() &&
    [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== ""));
  return Math.min(...texts.map((element) => {
    const [light, dark] = [getComputedStyle(element).color, behind(element)].map(luminance).sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  }));
})()`;

const hostileText = `"><img src=x onerror="window.broken=1"></script><script>window.broken=1</script>\u202e${"long".repeat(60)}`;

function hostileContents(): MirrorContents {
  const { images, ...rest } = sampleContents();
  const replaced = images.map((image) => ({
    ...image,
    versions: image.versions.map((contents) => ({
      ...contents,
      qualified: contents.qualified?.map((entry) => ({ ...entry, hardware: hostileText, profile: hostileText })) ?? [],
      manifest: {
        ...contents.manifest,
        osRelease: { PRETTY_NAME: hostileText },
        kernels: [hostileText],
        preinstalled: [hostileText],
        source: { ...contents.manifest.source, url: `javascript:${hostileText}`, checksum: hostileText },
      },
    })),
  }));
  return { ...rest, images: replaced };
}

async function write(prefix: string, contents: MirrorContents): Promise<void> {
  for (const { key, bytes } of [...renderMirrorPages(contents), ...renderStreams(contents)]) {
    const path = join(root, prefix + key);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes);
  }
}
