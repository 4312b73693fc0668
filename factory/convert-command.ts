import { lstat, stat } from "node:fs/promises";
import { type Command, Option } from "commander";
import { action } from "../common/command-line.ts";
import { reportOperation, reportStep } from "../common/event.ts";
import { Failure } from "../common/failure.ts";
import { formatSize } from "../common/units.ts";
import { declaredFormat } from "./declared-format.ts";
import { convertToDisk } from "./formats/convert-to-disk.ts";
import { type ImageFormat, imageFormatSchema, isArchive } from "./image-format.ts";

interface ConvertFlags {
  format?: ImageFormat;
  force?: boolean;
}

const formats = imageFormatSchema.options.filter((format) => !isArchive(format));

/** `metalcast convert`: any disk image that the factory reads, to a sparse raw disk. */
export function addConvertCommand(program: Command): void {
  program
    .command("convert <file> <destination>")
    .description("make a sparse raw disk of a disk image, after checking that it is what it is said to be")
    .addOption(new Option("--format <format>", "of the file; default: what its name says").choices(formats))
    .option("--force", "replace the destination")
    .addHelpText(
      "before",
      `Examples:
  metalcast convert debian-12-genericcloud-amd64.qcow2 debian-12.raw
  metalcast convert --format qcow2 noble-server-cloudimg-amd64.img noble.raw
`,
    )
    .action(
      action<ConvertFlags>(async ({ emit, print, signal }, { format: declared, force }, file, destination) => {
        const format = declaredFormat(file, declared);
        await assertReplaceable(file, destination, force ?? false);
        await reportOperation(emit, { operation: "convert", subject: file }, () =>
          reportStep(emit, { step: "convert", title: `Convert it from ${format} to a raw disk` }, (advance) =>
            convertToDisk(file, format, destination, { signal, advance }),
          ),
        );
        const { size: sizeBytes, blocks } = await stat(destination);
        print(
          // st_blocks counts units of 512 bytes, whatever the file system's own (stat(2)).
          { destination, format, sizeBytes, usedBytes: blocks * 512 },
          `${destination} is a disk of ${formatSize(sizeBytes)} (${formatSize(blocks * 512)} used)`,
        );
      }),
    );
}

/** @throws Failure `destination-exists`, `destination-unfit` (configuration) */
async function assertReplaceable(file: string, destination: string, force: boolean): Promise<void> {
  const existing = await lstat(destination).catch(() => undefined);
  if (!existing) return;
  const source = await stat(file).catch(() => undefined);
  const isSource = source?.dev === existing.dev && source.ino === existing.ino;
  if (!existing.isFile() || isSource) {
    throw new Failure({
      code: "destination-unfit",
      kind: "configuration",
      message: `converting into ${destination}: it is ${isSource ? "the image itself" : "not a regular file"}`,
      hint: "name a file that is to be made",
    });
  }
  if (force) return;
  throw new Failure({
    code: "destination-exists",
    kind: "configuration",
    message: `converting into ${destination}: it is there already`,
    hint: "name another file, or add --force to replace it",
  });
}
