import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { type Emit, type Event, eventSchema, withScope } from "../../common/event.ts";
import { type Renderer, renderJson, renderLines, renderTerminal } from "../../common/render.ts";

const common = { version: 1, time: "2026-11-23T00:00:00.000Z" } as const;
const story: Event[] = [
  { ...common, kind: "operation-started", operation: "installation", subject: "debian-12@20261123.0 as web-1" },
  { ...common, kind: "step-started", step: "lay-image", title: "lay debian-12" },
  { ...common, kind: "step-progress", step: "lay-image", bytes: 2 ** 29, totalBytes: 2 ** 30, bytesPerSecond: 2 ** 27 },
  {
    ...common,
    kind: "step-failed",
    step: "lay-image",
    durationMs: 4000,
    failure: { code: "download-cut", message: "no" },
  },
  {
    ...common,
    kind: "operation-failed",
    operation: "installation",
    durationMs: 61_000,
    failure: { code: "download-cut", message: "no" },
  },
];

function render(renderer: (output: PassThrough) => Renderer): string {
  const output = new PassThrough();
  const show = renderer(output);
  for (const event of story) show(event);
  return String(output.read());
}

test("a log gets plain lines", () => {
  expect(render(renderLines).split("\n")).toEqual([
    "installation of debian-12@20261123.0 as web-1",
    "  lay debian-12",
    "  lay-image: ██████████░░░░░░░░░░ 50 % of 1.0 GiB, 128 MiB/s, 4 s left",
    "  lay-image: failed (download-cut)",
    "installation failed after 1 min 01 s",
    "",
  ]);
});

test("a terminal gets its progress redrawn in place, and cut to its width", () => {
  const shown = render((output) => renderTerminal(Object.assign(output, { columns: 40 })));
  expect(shown).toContain("\r\x1b[K  lay-image: ██████████░░░░░░░░░░ 50 % \r\x1b[K");
});

test.each([["a log", renderLines] as const, ["a terminal", renderTerminal] as const])(
  "%s gets nothing of a foreign program that would steer a terminal",
  (_, renderer) => {
    const output = new PassThrough();
    renderer(output)({ ...common, kind: "note", text: "\x1b]0;title\x07 50 %\r\x9b2Jdone\twell\nagain" });
    expect(String(output.read()).replace("\r\x1b[K", "")).toBe("    ?]0;title? 50 %??2Jdone\twell\nagain\n");
  },
);

test("a machine gets each event as it is", () => {
  const lines = render(renderJson).trimEnd().split("\n");
  expect(lines.map((line) => eventSchema.parse(JSON.parse(line)))).toEqual(story);
});

test("of operations side by side, each line says whose it is, and each shows its progress", () => {
  const output = new PassThrough();
  const show = renderLines(output);
  const shared: Emit = (event) => show(eventSchema.parse(event));
  for (const scope of ["debian-12", "rocky-9"]) {
    for (const event of story.slice(0, 3)) withScope(shared, scope)(event);
  }
  expect(String(output.read()).split("\n")).toEqual([
    "debian-12: installation of debian-12@20261123.0 as web-1",
    "debian-12: lay debian-12",
    expect.stringMatching(/^debian-12: lay-image: █+░+ 50 %/),
    "rocky-9: installation of debian-12@20261123.0 as web-1",
    "rocky-9: lay debian-12",
    expect.stringMatching(/^rocky-9: lay-image: █+░+ 50 %/),
    "",
  ]);
});
