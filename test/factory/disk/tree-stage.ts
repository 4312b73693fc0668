import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { run } from "../../../common/run.ts";
import { type MountedTree, mountTree } from "../../../factory/disk/mount-tree.ts";
import { MountNamespace } from "../../../factory/namespace.ts";
import { FileSystemMaker, type Files, makeGptDisk, systemFiles } from "./make-disk.ts";

/** A disk to be, a namespace and a directory to mount its tree on, anew for each test. */
export class TreeStage {
  readonly make: FileSystemMaker;
  readonly namespace: MountNamespace;
  readonly directory: string;
  /** Where the disk is made. */
  disk: string;

  constructor(folder: string, namespace: MountNamespace) {
    this.make = new FileSystemMaker(folder);
    this.namespace = namespace;
    this.directory = join(folder, "tree");
    this.disk = join(folder, "disk.raw");
  }

  mount(signal?: AbortSignal): Promise<MountedTree> {
    const { namespace, directory } = this;
    const scratch = join(directory, "../scratch");
    return mountTree(this.disk, { namespace, directory, scratch, ...(signal && { signal }) });
  }

  /** A file of the mounted tree. */
  read(path: string): Promise<string> {
    return readFile(this.path(path), "utf8");
  }

  /** A path of the mounted tree, for this process. */
  path(path: string): string {
    return join(this.namespace.path(this.directory), path);
  }

  /** Makes a disk of a root with these files and more partitions, named other-0, other-1 and so on. */
  async makeDisk(fstab: string, files: Files, ...others: string[]): Promise<void> {
    const root = { type: "linux", image: await this.make.ext(systemFiles(fstab, files)), name: "root" };
    const parts = others.map((image, index) => ({ type: "linux", image, name: `other-${index}` }));
    await makeGptDisk(this.disk, [root, ...parts]);
  }
}

/** After each test, whatever it did, nothing may be left but files. @returns the running test's stage */
export function useTreeStage(): () => TreeStage {
  let folder: string;
  let stage: TreeStage;
  beforeAll(async () => {
    folder = await mkdtemp("/var/tmp/mount-tree-");
  });
  afterAll(() => rm(folder, { recursive: true }));
  beforeEach(async () => {
    stage = new TreeStage(await mkdtemp(join(folder, "test-")), await MountNamespace.open());
    await mkdir(stage.directory);
  });
  afterEach(async () => {
    await stage.namespace[Symbol.asyncDispose]();
    const loops = await run("losetup", ["--list", "--noheadings", "--output", "BACK-FILE"], { doing: "listing loops" });
    const processes = await run("ps", ["-eo", "args"], { doing: "listing processes" });
    expect(loops.stdout + processes.stdout).not.toContain(folder);
    expect(await readFile("/proc/mounts", "utf8")).not.toContain(folder);
    expect(await readdir(stage.directory)).toEqual([]);
  });
  return () => stage;
}

/** Mount point, volume and subvolume of every mount. */
export function placesOf({ mounts }: MountedTree): string[][] {
  return mounts.map(({ mountPoint, volume, subvolume }) => [
    mountPoint,
    volume.name,
    ...(subvolume ? [subvolume] : []),
  ]);
}
