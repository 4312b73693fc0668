import { join } from "node:path";
import { type RunOptions, type RunResult, run } from "../common/run.ts";

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
    const ended = run("unshare", ["--mount", "--propagation", "private", "sh", "-c", "echo $$ && exec cat"], {
      doing: "keeping a mount namespace",
      input: endingWith(closing.promise),
      onLine: started.resolve,
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
    return run("setpriv", [...enter, "unshare", "--pid", "--fork", "--kill-child", program, ...args], options);
  }

  /**
   * Mounts a file with an ext4 file system. Its device nodes and set-user-ID bits mean nothing while it is mounted.
   * The loop device is set free with the mount (mount(8), "loop-device support").
   */
  async mount(file: string, directory: string): Promise<void> {
    const options = ["-t", "ext4", "-o", "loop,nodev,nosuid,noatime", file, directory];
    await this.run("mount", options, { doing: `mounting ${file}` });
    this.#mounts.push(directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      for (const directory of this.#mounts.reverse()) {
        await this.run("umount", [directory], { doing: `unmounting ${directory}` });
      }
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
