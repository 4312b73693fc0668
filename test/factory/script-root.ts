import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { run } from "../../common/run.ts";

const repository = join(import.meta.dirname, "../..");
const standIns = join(import.meta.dirname, "stand-ins");

/** The machine's own programs: those of the scripts' every distribution are GNU's too. */
const programs =
  "cat chmod cp cut env find grep head ln ls mkdir mktemp mv printf readlink rm rmdir sed sh sort tail touch tr uniq wc";

/** @returns the programs' paths and those of the libraries they are linked with */
async function listProgramFiles(): Promise<string[]> {
  const paths = programs.split(" ").map((program) => `/usr/bin/${program}`);
  const { stdout } = await run("ldd", paths, { doing: "looking for libraries" });
  return [...paths, ...new Set([...stdout.matchAll(/(\/lib\S+) \(0x/g)].flatMap(([, path]) => path ?? []))];
}

const programFiles = await listProgramFiles();

/**
 * A root for provisioning scripts, with stand-ins for the programs of a distribution that is not at hand. They fail for
 * what they don't know, and write down in /state/log how they were called.
 */
export class ScriptRoot implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** @param distribution which of the folder stand-ins/ there are; `python` is what runs subscription-manager */
  static async make(distribution: readonly string[]): Promise<ScriptRoot> {
    const root = new ScriptRoot(await mkdtemp(join(tmpdir(), "script-root-")));
    const copy = async (from: string, to: string) => {
      await mkdir(dirname(join(root.path, to)), { recursive: true });
      await copyFile(from, join(root.path, to));
    };
    for (const folder of ["bin", "lib", "lib64", "sbin"]) {
      await mkdir(join(root.path, "usr", folder), { recursive: true });
      await symlink(`usr/${folder}`, join(root.path, folder));
    }
    for (const file of programFiles) await copy(file, file);
    for (const program of [...distribution, "cloud-init", "mountpoint"])
      await copy(join(standIns, program), `usr/bin/${program}`);
    for (const folder of [
      "etc/default",
      "etc/ssh",
      "etc/cloud/cloud.cfg.d",
      "var/log",
      "var/tmp",
      "root",
      "dev",
      "tmp",
    ])
      await mkdir(join(root.path, folder), { recursive: true });
    await writeFile(join(root.path, "dev/null"), "");
    for (const state of ["log", "installed", "offered", "kernels", "repositories", "after-install"])
      await root.put(`state/${state}`, "");
    await root.put("state/forgotten", "nothing\n");
    await root.put("state/zypper-exit", "0\n");
    return root;
  }

  async put(path: string, content: string): Promise<void> {
    await mkdir(dirname(join(this.path, path)), { recursive: true });
    await writeFile(join(this.path, path), content);
  }

  async remove(path: string): Promise<void> {
    await rm(join(this.path, path));
  }

  /** @returns undefined where there is no such file */
  async read(path: string): Promise<string | undefined> {
    return readFile(join(this.path, path), "utf8").catch(() => undefined);
  }

  async list(path: string): Promise<string[]> {
    return (await readdir(join(this.path, path)).catch(() => [])).sort();
  }

  /** How the stand-ins were called. */
  async calls(): Promise<string[]> {
    return ((await this.read("state/log")) ?? "").trim().split("\n");
  }

  /**
   * Runs scripts as the fence does.
   * @throws Failure `command-failed` with the last lines of a script that failed
   */
  async run(scripts: readonly string[], variables: Record<string, string> = {}): Promise<void> {
    const path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    const all = { ADD_COMPONENTS: "", ADD_PACKAGES: "", REMOVE_PACKAGES: "", RHSM_ORGANIZATION: "", ...variables };
    const environment = Object.entries(all).map(([name, value]) => `${name}=${value}`);
    for (const script of scripts) {
      const inside = `/run/${basename(script)}`;
      await this.put(inside, await readFile(join(repository, "packer", script), "utf8"));
      const words = [this.path, "/bin/env", "-i", path, ...environment, "/bin/sh", "-eu", inside];
      await run("chroot", words, { doing: `running ${script}` });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true });
  }
}

/** What packer/families has for a family. */
export async function readFamily(name: string): Promise<{ scripts: string[]; packages: string[] }> {
  const text = await readFile(join(repository, `packer/families/${name}.pkrvars.hcl`), "utf8");
  const list = (variable: string) => {
    const body = new RegExp(`^${variable} = \\[\n([^\\]]*)\\]`, "m").exec(text)?.[1] ?? "";
    return [...body.matchAll(/"([^"]+)"/g)].flatMap(([, word]) => word ?? []);
  };
  return { scripts: list("scripts"), packages: list("family_packages") };
}
