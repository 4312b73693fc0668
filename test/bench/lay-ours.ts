import { layImage } from "../../installer/lay-image.ts";

/**
 * lay-ours.ts IMAGE TARGET: lays an image (JSON of a step's `image`) as the installer does, in a process of its own. Says what
 * memory that took: the largest resident set in KiB (getrusage(2)).
 */
const [image = "", target = ""] = process.argv.slice(2);
await layImage(
  { kind: "lay-image", name: "lay-image", title: "lay the image", image: JSON.parse(image), target },
  () => undefined,
  new AbortController().signal,
);
process.stdout.write(`${process.resourceUsage().maxRSS}\n`);
