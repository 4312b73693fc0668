import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type RunOptions, type RunResult, run } from "../common/run.ts";

export interface MountRequest {
  /** A file, or any word for a file system in memory. */
  source: string;
  directory: string;
  type: "ext4" | "xfs" | "btrfs" | "tmpfs";
  /** Beside nodev and nosuid. */
  options?: readonly string[];
  /** The part of the file that holds the file system. Default: all of it. */
  range?: { offsetBytes: number; sizeBytes: number };
  signal?: AbortSignal;
}

/**
 * Mounts that nobody else on this machine sees. A process waits inside for the end of its standard input, so that
 * the mounts and their loop devices go away with us, however we end.
 */
export class MountNamespace implements AsyncDisposable {
  readonly #processId: string;
  readonly #close: () => Promise<unknown>;
  readonly #mounts: string[] = [];

  private constructor(processId: string, close: () => Promise<unknown>) {
    this.#processId = processId;
    this.#close = close;
  }

  static async open(): Promise<MountNamespace> {
    const started = Promise.withResolvers<string>();
    const closing = Promise.withResolvers<void>();
    // In a session of its own: a Ctrl-C at the terminal ends our work, and we end this when that is over.
    const keeper = ["unshare", "--mount", "--propagation", "private", "sh", "-c", "echo $$ && exec cat"];
    const ended = run("setsid", keeper, {
      doing: "keeping a mount namespace",
      input: endingWith(closing.promise),
      // unshare's own complaint is a line as well.
      onLine: (line) => /^\d+$/.test(line) && started.resolve(line),
    });
    ended.catch(started.reject);
    return new MountNamespace(await started.promise, () => {
      closing.resolve();
      return ended;
    });
  }

  /** A path as it is inside, for our own process to read. */
  path(inside: string): string {
    return join("/proc", this.#processId, "root", inside);
  }

  /**
   * Runs a command inside, in a process namespace of its own: whatever it leaves running ends with it, and it ends
   * when this process is killed.
   */
  run(program: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
    const enter = ["--pdeathsig", "KILL", "nsenter", `--mount=/proc/${this.#processId}/ns/mnt`];
    const command = [...enter, "unshare", "--pid", "--fork", "--kill-child", program, ...args];
    return run("setpriv", command, { ...options, killSignal: "SIGKILL" });
  }

  /**
   * Mounts a file system, or a part of a file that holds one. Its device nodes and set-user-ID bits mean nothing while
   * it is mounted. A loop device is set free with its mount (mount(8), "loop-device support").
   */
  async mount({ source, directory, type, options = [], range, signal }: MountRequest): Promise<void> {
    const loop = type === "tmpfs" ? [] : ["loop"];
    const part = range ? [`offset=${range.offsetBytes}`, `sizelimit=${range.sizeBytes}`] : [];
    const all = [...loop, "nodev", "nosuid", ...options, ...part].join(",");
    // Only what mount itself knows: no helper program, and nothing is detected.
    await this.run("mount", ["--internal-only", "-t", type, "-o", all, source, directory], {
      doing: `mounting ${source} on ${directory}`,
      ...(signal && { signal }),
    });
    this.#mounts.push(directory);
  }

  /** Which part of its file system is mounted there: of btrfs, the subvolume (proc_pid_mountinfo(5), field 4). */
  async partMounted(directory: string): Promise<string> {
    const lines = (await readFile(`/proc/${this.#processId}/mountinfo`, "utf8")).split("\n");
    const fields = lines.map((line) => line.split(" ").map(undoEscapes));
    return fields.findLast((mounted) => mounted[4] === directory)?.[3] ?? "/";
  }

  async unmount(directory: string): Promise<void> {
    await this.run("umount", [directory], { doing: `unmounting ${directory}` });
    this.#mounts.splice(this.#mounts.lastIndexOf(directory), 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      for (const directory of this.#mounts.toReversed()) await this.unmount(directory);
    } finally {
      await this.#close();
    }
  }
}

/** An input with nothing in it, which ends when the promise is kept. */
async function* endingWith(closed: Promise<void>): AsyncGenerator<Uint8Array> {
  await closed;
  yield new Uint8Array();
}

/** What would end a field is written in octal. */
function undoEscapes(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
