import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A file system tree of an image, made by hand. */
export class ImageTree implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** @param files contents by path */
  static async make(files: Record<string, string | Uint8Array> = {}): Promise<ImageTree> {
    const tree = new ImageTree(await mkdtemp(join(tmpdir(), "image-tree-")));
    await mkdir(join(tree.path, "usr/lib"), { recursive: true });
    await symlink("usr/lib", join(tree.path, "lib"));
    for (const [path, content] of Object.entries(files)) await tree.put(path, content);
    return tree;
  }

  async put(path: string, content: string | Uint8Array = ""): Promise<void> {
    await mkdir(dirname(join(this.path, path)), { recursive: true });
    await writeFile(join(this.path, path), content);
  }

  async link(path: string, target: string): Promise<void> {
    await mkdir(dirname(join(this.path, path)), { recursive: true });
    await symlink(target, join(this.path, path));
  }

  async remove(path: string): Promise<void> {
    await rm(join(this.path, path), { recursive: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true });
  }
}

/** An initramfs: members without content, and the trailer. cpio's fields are zero but for mode, links and name size. */
export function cpioOf(...names: string[]): Buffer {
  const member = (name: string) => {
    const size = (name.length + 1).toString(16).padStart(8, "0");
    const header = `070701${"0".repeat(8)}000081a4${"0".repeat(16)}00000001${"0".repeat(48)}${size}${"0".repeat(8)}`;
    const text = `${header}${name}\0`;
    return text.padEnd(Math.ceil(text.length / 4) * 4, "\0");
  };
  return Buffer.from([...names, "TRAILER!!!"].map(member).join(""));
}

/** dpkg's database of installed packages. */
export function dpkgStatus(...names: string[]): string {
  return names
    .map((name) => `Package: ${name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.0-1\n`)
    .join("\n");
}
