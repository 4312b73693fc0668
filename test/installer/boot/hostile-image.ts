import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { run } from "../../../common/run.ts";
import { type FencedOptions, type FencedProgram, runFenced } from "../../../installer/boot/fence.ts";

/** Where the tree lies, as a mounted target does: of this size. */
const size = "96m";

const applets = "cat date dd env hostname kill ls mknod mount rm setsid sh sleep stat swapon true umount unshare yes";

/** An image whose programs do what a test tells them. They are busybox's, and perl for system calls. */
export class HostileImage implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<HostileImage> {
    const image = new HostileImage(await mkdtemp(join(tmpdir(), "hostile-")));
    await run("mount", ["-t", "tmpfs", "-o", `size=${size},mode=755`, "tmpfs", image.path], {
      doing: "making an image",
    });
    const { stdout } = await run("ldd", ["/usr/bin/perl"], { doing: "looking for libraries" });
    const libraries = [...stdout.matchAll(/(\/lib\S+) \(0x/g)].flatMap(([, path]) => path ?? []);
    for (const file of ["/usr/bin/perl", "/usr/bin/busybox", ...libraries]) {
      await mkdir(dirname(join(image.path, file)), { recursive: true });
      await copyFile(file, join(image.path, file));
    }
    for (const folder of ["dev", "etc", "mnt", "proc", "root", "run", "sys", "tmp", "usr/sbin"]) {
      await mkdir(join(image.path, folder), { recursive: true });
    }
    for (const applet of applets.split(" ")) await symlink("busybox", join(image.path, "usr/bin", applet));
    await symlink("usr/bin", join(image.path, "bin"));
    return image;
  }

  async put(path: string, content: string, mode = 0o644): Promise<void> {
    await writeFile(join(this.path, path), content, { mode });
  }

  async list(path: string): Promise<string[]> {
    return (await readdir(join(this.path, path))).sort();
  }

  /**
   * Runs a shell's text behind the fence.
   * @returns what it says, by lines
   * @throws Failure, those of `runFenced`
   */
  async run(text: string, options: Partial<FencedOptions & FencedProgram> = {}): Promise<string[]> {
    const lines: string[] = [];
    const { devices = [], command = ["sh", "-c", text], network, administers, env, ...others } = options;
    const program: FencedProgram = {
      target: this.path,
      devices,
      command,
      ...(network !== undefined && { network }),
      ...(administers !== undefined && { administers }),
      // perl would complain of a locale that it has no files of.
      env: { PERL_BADLANG: "0", ...env },
    };
    await runFenced(program, { doing: "trying", onLine: (line) => lines.push(line), ...others });
    return lines;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run("umount", [this.path], { doing: "removing an image" });
    await rm(this.path, { recursive: true });
  }
}

/** @returns the numbers of all processes of this machine that have the text in their command line */
export async function findProcesses(text: string): Promise<number[]> {
  const numbers = (await readdir("/proc")).map(Number).filter((number) => number > 0 && number !== process.pid);
  const found = await Promise.all(
    numbers.map(async (number) => {
      const command = await readFile(`/proc/${number}/cmdline`, "utf8").catch(() => "");
      return command.includes(text) ? [number] : [];
    }),
  );
  return found.flat();
}
