import { link, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Failure } from "../../common/failure.ts";
import { run } from "../../common/run.ts";
import { formatSize } from "../../common/units.ts";

/** What cloud-init looks for (cloudinit/sources/DataSourceConfigDrive.py, `LABEL_TYPES`). */
const volumeLabel = "config-2";

/** The same files give the same bytes: every date in the image is this one. xorrisofs(1), `--set_all_file_dates`. */
const anyDate = { seconds: "315532800", text: "1980010100000000" };

export interface ConfigDriveImageOptions {
  /** The size of the partition that the image is for. */
  sizeBytes: number;
  signal?: AbortSignal;
}

/** Hard links where the content is the same: xorriso stores it once, so a second version of the tree costs nothing. */
async function writeTree(root: string, files: ReadonlyMap<string, string>): Promise<void> {
  const written = new Map<string, string>();
  for (const [path, content] of files) {
    const file = join(root, path);
    await mkdir(dirname(file), { recursive: true });
    const same = written.get(content);
    if (same === undefined) await writeFile(file, content);
    else await link(same, file);
    written.set(content, same ?? file);
  }
}

/**
 * Makes the config drive: ISO 9660 with Rock Ridge and Joliet, readable by root alone once mounted.
 * @param files content by path, as `configDriveFiles` gives them
 * @returns exactly `sizeBytes` bytes, filled up with zeros so that nothing older shows through
 * @throws Failure `config-drive-too-small` (configuration)
 */
export async function makeConfigDriveImage(
  files: ReadonlyMap<string, string>,
  { sizeBytes, signal }: ConfigDriveImageOptions,
): Promise<Buffer> {
  // The user data may hold secrets: mkdtemp's directory is for its owner alone.
  const directory = await mkdtemp(join(tmpdir(), "metalcast-config-drive-"));
  try {
    const tree = join(directory, "tree");
    const iso = join(directory, "config-drive.iso");
    await writeTree(tree, files);
    const format = ["-volid", volumeLabel, "-rational-rock", "-joliet", "-no-pad"];
    const sameForAll = ["-uid", "0", "-gid", "0", "-dir-mode", "0700", "-file-mode", "0600"];
    await run(
      "xorriso",
      [
        "-no_rc",
        "-as",
        "mkisofs",
        "-quiet",
        ...format,
        ...sameForAll,
        "--set_all_file_dates",
        anyDate.text,
        "-o",
        iso,
        tree,
      ],
      {
        doing: "making the config drive",
        env: { SOURCE_DATE_EPOCH: anyDate.seconds },
        ...(signal === undefined ? {} : { signal }),
      },
    );
    const image = await readFile(iso);
    requireSize(image.length, sizeBytes);
    return Buffer.concat([image], sizeBytes);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** System area, volume descriptors, path tables and directories; 68 KiB where measured. */
const isoOverheadBytes = 96 * 1024;

/**
 * Refuses files that no config drive of that size can hold, before anything is written to a disk.
 * @throws Failure `config-drive-too-small` (configuration)
 */
export function checkConfigDriveFits(files: ReadonlyMap<string, string>, sizeBytes: number): void {
  const sectorBytes = 2048;
  const contentBytes = [...new Set(files.values())]
    .map((content) => Math.ceil(Buffer.byteLength(content) / sectorBytes) * sectorBytes)
    .reduce((sum, bytes) => sum + bytes, 0);
  requireSize(isoOverheadBytes + contentBytes, sizeBytes);
}

function requireSize(neededBytes: number, sizeBytes: number): void {
  if (neededBytes <= sizeBytes) return;
  throw new Failure({
    code: "config-drive-too-small",
    kind: "configuration",
    message: `making the config drive: it needs ${formatSize(neededBytes)}, its partition has ${formatSize(sizeBytes)}`,
    hint: "shorten instance.userData: let it fetch its large parts with #include and a URL",
    data: { neededBytes, sizeBytes },
  });
}
