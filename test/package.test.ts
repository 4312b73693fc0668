import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";

const root = new URL("..", import.meta.url).pathname;

/** What others import, as they get it: packed, unpacked, compiled, with nothing of the sources beside it. */
test("the packed package has its entries, its command, its templates and its catalog", async () => {
  const directory = await mkdtemp(join(tmpdir(), "package-"));
  try {
    await execa("npm", ["pack", "--silent", "--pack-destination", directory], { cwd: root });
    await execa("tar", ["-xzf", join(directory, "metalcast-0.1.0.tgz"), "-C", directory]);
    await execa("ln", ["-s", join(root, "node_modules"), join(directory, "package/node_modules")]);
    const script = `
      const [installer, factory, mirror, qcow2] = await Promise.all(
        ["installer", "factory", "mirror", "qcow2-parser"].map((name) => import("metalcast/" + name)));
      const catalog = await factory.loadCatalog();
      console.log(typeof installer.plan, typeof installer.execute, typeof factory.build, typeof mirror.openStore,
        typeof qcow2.openQcow2, catalog.has("debian-12"));`;
    const run = (...args: string[]) => execa(process.execPath, args, { cwd: join(directory, "package") });
    const { stdout } = await run("--input-type=module", "--eval", script);
    expect(stdout).toBe("function function function function function true");
    expect((await run("dist/cli.js", "images")).stdout).toContain("debian-12");
  } finally {
    await rm(directory, { recursive: true });
  }
});
