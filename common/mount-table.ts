/** One mounted file system: a line of /proc/PID/mountinfo (proc_pid_mountinfo(5)). */
export interface Mount {
  /** Later mounts have larger numbers, until one of an unmounted is used again. */
  id: number;
  /** "8:1"; file systems without one block device have numbers of their own, 0:N. */
  deviceNumber: string;
  mountPoint: string;
  type: string;
  /** A device's path, or what the file system calls its source. */
  source: string;
  /** Of the file system, such as an overlay's `lowerdir=/base`. */
  options: string[];
}

/** Reads /proc/PID/mountinfo. Lines that are not as documented are left out. */
export function parseMountTable(text: string): Mount[] {
  return text.split("\n").flatMap((line) => {
    // Fields of a variable number end with a field of one hyphen.
    const [before = "", after = ""] = line.split(" - ", 2);
    const [id, , deviceNumber, , mountPoint] = before.split(" ");
    const [type, source, options] = after.split(" ");
    if (!deviceNumber || !mountPoint || !type || source === undefined) return [];
    return [
      {
        id: Number(id),
        deviceNumber,
        mountPoint: unescapeOctal(mountPoint),
        type,
        source: unescapeOctal(source),
        options: (options ?? "").split(",").map(unescapeOctal),
      },
    ];
  });
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
