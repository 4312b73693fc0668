import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { observeCommands } from "../../common/run.ts";
import { findImage, loadCatalog } from "../../factory/catalog.ts";
import { packerDirectory } from "../../factory/customize-template.ts";
import { customizeTree } from "../../factory/customize-tree.ts";
import { MountNamespace } from "../../factory/namespace.ts";
import { makeTinyImage } from "./tiny-image.ts";

let folder: string;
beforeAll(async () => {
  // So deep that no socket could be made in it, and with what a shell could stumble over.
  folder = join(await mkdtemp("/var/tmp/customize-tree-"), `it's $HOME ${"deep".repeat(30)}`);
  await mkdir(folder, { recursive: true });
  await makeTinyImage(folder);
});
afterAll(() => rm(join(folder, ".."), { recursive: true }));

test("a script gets the subscription's key in memory, and nobody sees it; the tree is without it", async () => {
  const template = join(folder, "template");
  await cp(packerDirectory, template, { recursive: true });
  const script = [
    "#!/bin/sh",
    'echo "organization: $RHSM_ORGANIZATION"',
    "ls -l /run/metalcast/secrets",
    "cat /run/metalcast/secrets/activation-key >/etc/marker",
  ];
  await writeFile(join(template, "scripts/only.sh"), script.join("\n"));
  await chmod(join(template, "scripts/only.sh"), 0o755);
  const family = 'scripts = ["scripts/only.sh"]\nfamily_packages = []\n';
  await writeFile(join(template, "families/debian.pkrvars.hcl"), family);
  await writeFile(join(folder, "key"), "key-1234\n", { mode: 0o644 });

  const texts: string[] = [];
  const endObservation = observeCommands((command) => texts.push(command));
  const tree = join(folder, "tree");
  await mkdir(tree);
  await using namespace = await MountNamespace.open();
  await namespace.mount({ source: join(folder, "root.ext4"), directory: tree, type: "ext4" });
  await customizeTree(findImage(await loadCatalog(), "debian-12"), {
    namespace,
    tree,
    scratch: join(folder, "scratch"),
    template,
    rhsm: { organization: "12345", activationKeyFile: join(folder, "key") },
    onText: (text) => texts.push(text),
  });
  endObservation();
  expect(texts).toContain("organization: 12345");
  expect(texts.filter((text) => text.endsWith(" activation-key"))).toEqual([
    expect.stringMatching(/^-rw-------\s+1 (root|0) /),
  ]);
  expect(texts.join("\n")).not.toContain("key-1234");
  expect(await readFile(namespace.path(join(tree, "etc/marker")), "utf8")).toBe("key-1234\n");
  expect(await readdir(namespace.path(join(tree, "run")))).toEqual([]);
});
