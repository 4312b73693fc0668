import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { run } from "../../../common/run.ts";

const doing = "making an image";

/** How the stand-in's server behaves. */
export interface Server {
  /** The exit code, and what is said then; 0: all is well. */
  exit: number;
  says: string;
  /** Whether a consumer is there before it fails. */
  half: boolean;
  /** Whether it does not answer. */
  waits: boolean;
  /** Whether it cannot be told of the end. */
  unreachable: boolean;
}

/** A tree with Python and a stand-in for subscription-manager: this machine's /usr, beneath a layer of its own. */
export class LicensedImage implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(server: Partial<Server> = {}): Promise<LicensedImage> {
    const image = new LicensedImage(await mkdtemp(join(tmpdir(), "licensed-")));
    const { path } = image;
    await run("mount", ["-t", "tmpfs", "-o", "size=32m,mode=755", "tmpfs", path], { doing });
    for (const folder of ["usr", ".upper", ".work", "etc/rhsm", "root", "tmp", "var/lib"]) {
      await mkdir(join(path, folder), { recursive: true });
    }
    const layers = `lowerdir=/usr,upperdir=${path}/.upper,workdir=${path}/.work`;
    await run("mount", ["-t", "overlay", "-o", layers, "overlay", `${path}/usr`], { doing });
    for (const name of ["bin", "lib", "lib64", "sbin"]) await symlink(`usr/${name}`, join(path, name));
    await image.put(
      "/etc/rhsm/rhsm.conf",
      "[server]\nhostname = subscription.rhsm.redhat.com\n\n[rhsm]\nmanage_repos = 1\n",
    );
    const usual: Server = { exit: 0, says: "", half: false, waits: false, unreachable: false };
    await image.put("/etc/stand-in.json", JSON.stringify({ ...usual, ...server }));
    const program = join(path, "usr/sbin/subscription-manager");
    await copyFile(new URL("./subscription-manager.py", import.meta.url), program);
    await run("chmod", ["755", program], { doing });
    return image;
  }

  async put(path: string, content: string): Promise<void> {
    await mkdir(dirname(join(this.path, path)), { recursive: true });
    await writeFile(join(this.path, path), content);
  }

  read(path: string): Promise<string> {
    return readFile(join(this.path, path), "utf8");
  }

  /** What the stand-in was asked and has seen, in order. */
  async seen(): Promise<Record<string, unknown>[]> {
    return JSON.parse(await this.read("/var/lib/stand-in.json").catch(() => "[]")) as Record<string, unknown>[];
  }

  /** @returns the files, but those below /usr of this machine, that have a text */
  async filesWith(text: string): Promise<string[]> {
    const options = ["--recursive", "--files-with-matches", "--exclude-dir=usr", "--fixed-strings"];
    const { stdout } = await run("grep", [...options, text, this.path], { doing: "looking", accept: [0, 1] });
    return stdout.split("\n").filter((line) => line !== "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run("umount", [`${this.path}/usr`], { doing });
    await run("umount", [this.path], { doing });
    await rm(this.path, { recursive: true });
  }
}
