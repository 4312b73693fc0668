import { Failure } from "../../common/failure.ts";

export interface FstabEntry {
  /** As written, quotes and escapes undone: "UUID=...", "LABEL=...", "/dev/vda1". */
  device: string;
  /** An absolute path, not resolved. */
  mountPoint: string;
  type: string;
  options: readonly string[];
}

/** A vendor's fstab has ten lines. */
const maximumEntries = 200;
export const maximumFstabBytes = 256 * 1024;

/** What is no part of the installed tree: memory, the kernel's own, and the network's (fstab(5), mount(8)). */
const passedOver =
  /^(swap|tmpfs|ramfs|proc|sysfs|devpts|devtmpfs|cgroup2?|debugfs|securityfs|efivarfs|none|overlay|nfs4?|cifs|9p|virtiofs|fuse(\..+)?)$/;

/**
 * Parses fstab(5) as hostile text: the lines that mount a file system of a disk.
 * @throws Failure `fstab-too-long` (integrity)
 */
export function parseFstab(text: string): FstabEntry[] {
  const entries: FstabEntry[] = [];
  if (text.length > maximumFstabBytes) throw tooLong();
  for (const line of text.split("\n")) {
    const entry = parseLine(line.trim());
    if (!entry) continue;
    entries.push(entry);
    if (entries.length > maximumEntries) throw tooLong();
  }
  return entries;
}

function parseLine(line: string): FstabEntry | undefined {
  if (line === "" || line.startsWith("#")) return undefined;
  const [device = "", mountPoint = "", type = "", options = ""] = line.split(/[ \t]+/).map(undoEscapes);
  if (passedOver.test(type) || !mountPoint.startsWith("/") || mountPoint.includes("\0")) return undefined;
  return { device: device.replace(/^([A-Z]+=)"(.*)"$/, "$1$2"), mountPoint, type, options: options.split(",") };
}

/** getmntent(3): blank, tab, newline and backslash are written in octal. */
function undoEscapes(field: string): string {
  return field.replace(/\\(040|011|012|134)/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function tooLong(): Failure {
  return new Failure({
    code: "fstab-too-long",
    kind: "integrity",
    message: `reading /etc/fstab: it has more than ${maximumEntries} mounts or ${maximumFstabBytes} bytes`,
    hint: "the image is damaged or was made to mislead: get it again from its vendor",
  });
}
