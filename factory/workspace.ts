import { access, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { Failure } from "../common/failure.ts";

/** A folder beside the output where a build works: the output appears whole, by one rename, or not at all. */
export class Workspace implements AsyncDisposable {
  readonly #directory: string;
  readonly #output: string;

  private constructor(directory: string, output: string) {
    this.#directory = directory;
    this.#output = output;
  }

  /** @throws Failure `output-exists` (configuration) */
  static async open(output: string): Promise<Workspace> {
    const absolute = resolve(output);
    const taken = await access(absolute).then(
      () => true,
      () => false,
    );
    if (taken) {
      throw new Failure({
        code: "output-exists",
        kind: "configuration",
        message: `building into ${absolute}: it is there already`,
        hint: "name another folder, or remove this one",
      });
    }
    await mkdir(dirname(absolute), { recursive: true });
    const workspace = new Workspace(await mkdtemp(`${absolute}.partial-`), absolute);
    await mkdir(workspace.published);
    await mkdir(workspace.path("tree"));
    return workspace;
  }

  /** Holds what will be the output. */
  get published(): string {
    return this.path("published");
  }

  path(name: string): string {
    return join(this.#directory, name);
  }

  /** @returns the output's absolute path */
  async publish(): Promise<string> {
    await rename(this.published, this.#output);
    return this.#output;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }
}
