import { access } from "node:fs/promises";
import { type Command, Option } from "commander";
import { action } from "../common/command-line.ts";
import { Failure } from "../common/failure.ts";
import { formatTable } from "../common/table.ts";
import { formatSize } from "../common/units.ts";
import { declaredFormat } from "./declared-format.ts";
import { type ImageFormat, imageFormatSchema } from "./image-format.ts";
import { type Inspection, inspect } from "./inspect.ts";
import type { Readiness } from "./inspect-findings.ts";

/** `metalcast inspect`: can this image run on metal? */
export function addInspectCommand(program: Command): void {
  program
    .command("inspect <file>")
    .description("say whether an image can run on metal, and what it lacks (as root)")
    .addOption(
      new Option("--format <format>", "of the file; default: what its name says").choices(imageFormatSchema.options),
    )
    .addHelpText(
      "before",
      `Examples:
  metalcast inspect debian-12-genericcloud-amd64.qcow2
  metalcast inspect --format qcow2 --json noble-server-cloudimg-amd64.img
`,
    )
    .action(
      action<{ format?: ImageFormat }>(async ({ emit, print, signal }, flags, path) => {
        const format = declaredFormat(path, flags.format);
        await assertThere(path);
        const inspection = await inspect({ path, format }, { emit, signal });
        print(toJson(inspection), describe(inspection));
        if (inspection.verdict === "blocks") throw unfit(inspection);
      }),
    );
}

async function assertThere(path: string): Promise<void> {
  await access(path).catch((cause: unknown) => {
    throw new Failure({
      code: "image-unreadable",
      kind: "configuration",
      message: `inspecting ${path}: it cannot be read`,
      hint: "look at the path",
      cause,
    });
  });
}

const words: Record<Readiness, string> = {
  ready: "ready",
  fixable: "can be fixed by `metalcast build`",
  blocks: "blocks",
};

function describe({ path, description, verdict, findings }: Inspection): string {
  const { format, fileSizeBytes, virtualSizeBytes, details } = description;
  const disk = virtualSizeBytes === undefined ? "" : `, a disk of ${formatSize(virtualSizeBytes)}`;
  const particulars = Object.entries(details).map(([name, value]) => `${name} ${value}`);
  const head = `${path}: ${[`${format}, ${formatSize(fileSizeBytes)}${disk}`, ...particulars].join(", ")}`;
  const rows = findings.map(({ topic, readiness, found, why }) => [
    topic,
    words[readiness],
    why === undefined ? found : `${found}: ${why}`,
  ]);
  const verdicts: Record<Readiness, string> = {
    ready: "It is ready for metal as it is.",
    fixable: "`metalcast build` can make it ready for metal.",
    blocks: "It cannot run on metal.",
  };
  return `${head}\n\n${formatTable(["what", "state", "found"], rows)}\n\n${verdicts[verdict]}`;
}

/** Sets are lists in JSON, and failures what they say. */
function toJson({ system, ...inspection }: Inspection) {
  const kernels = system.kernels.map(({ initramfs, ...kernel }) => ({
    ...kernel,
    initramfs: initramfs && { ...initramfs, modules: [...initramfs.modules], programs: [...initramfs.programs] },
  }));
  const problems = system.problems.map(({ code, message, hint }) => ({ code, message, hint }));
  return { ...inspection, system: { ...system, kernels, problems } };
}

function unfit({ path, findings }: Inspection): Failure {
  const blocking = findings.filter(({ readiness }) => readiness === "blocks");
  return new Failure({
    code: "image-unfit",
    kind: "failed",
    message: `inspecting ${path}: it cannot run on metal: ${blocking.map(({ topic, found, why }) => `${topic}: ${found}, ${why}`).join("; ")}`,
    hint: "what blocks is beyond what `metalcast build` can fix: take another image of this system",
  });
}
