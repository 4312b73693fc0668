import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { run } from "../../common/run.ts";
import { packerDirectory } from "../../factory/customize-template.ts";
import { ScriptRoot } from "./script-root.ts";

let root: ScriptRoot;
beforeEach(async () => {
  root = await ScriptRoot.make([]);
  for (const folder of ["proc", "run", "sys"]) await mkdir(join(root.path, folder), { recursive: true });
  await symlink("../run/systemd/resolve/stub-resolv.conf", join(root.path, "etc/resolv.conf"));
  await writeFile(join(root.path, "script"), "cat /etc/resolv.conf 2>/dev/null || readlink /etc/resolv.conf\n");
});
afterEach(() => root[Symbol.asyncDispose]());

/** @param prepare shell text that makes the machine's /etc, which is empty */
async function runInFence(prepare: string): Promise<string> {
  const namespaces = "--mount --propagation private --pid --fork --kill-child --ipc --uts".split(" ");
  const text = `mount -t tmpfs etc /etc && ${prepare} && mount --bind "$TREE" "$TREE" && exec sh "$0" "$TREE/script"`;
  const { stdout } = await run(
    "unshare",
    [...namespaces, "sh", "-euc", text, join(packerDirectory, "chroot/fence.sh")],
    {
      doing: "running in the fence",
      env: { TREE: root.path, ADD_COMPONENTS: "", ADD_PACKAGES: "", REMOVE_PACKAGES: "", RHSM_ORGANIZATION: "" },
    },
  );
  return stdout;
}

test("a script has the machine's name resolution", async () => {
  expect(await runInFence("echo nameserver 192.0.2.1 >/etc/resolv.conf")).toBe("nameserver 192.0.2.1");
});

test("nothing inside lies on the machine's /dev, and no file can be opened by its handle", async () => {
  // open_by_handle_at(2) asks for CAP_DAC_READ_SEARCH, which is number 2.
  const script = "grep -c devtmpfs /proc/self/mounts || :; sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status";
  await writeFile(join(root.path, "script"), `${script}; test -c /dev/null && echo node\n`);
  const [mounts, capabilities = "", node] = (await runInFence("true")).split("\n");
  expect([mounts, node]).toEqual(["0", "node"]);
  expect(BigInt(`0x${capabilities}`) & 4n).toBe(0n);
});

test.each([
  ["no resolv.conf", "true"],
  ["one that leads nowhere", "ln -s nowhere /etc/resolv.conf"],
])("on a machine with %s the image's own is left alone", async (_, prepare) => {
  expect(await runInFence(prepare)).toBe("../run/systemd/resolve/stub-resolv.conf");
});
