import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type JailBind, runInJail } from "../../../factory/disk/jail.ts";
import { MountNamespace } from "../../../factory/namespace.ts";

let folder: string;
let namespace: MountNamespace;

beforeEach(async () => {
  folder = await mkdtemp("/var/tmp/jail-");
  namespace = await MountNamespace.open();
  await mkdir(join(folder, "written"));
  await writeFile(join(folder, "read"), "given");
});
afterEach(async () => {
  await namespace[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const runScript = (script: string) => {
  const binds: JailBind[] = [
    { source: join(folder, "read"), name: "given", access: "read" },
    { source: join(folder, "written"), name: "out", access: "write" },
  ];
  return runInJail(namespace, join(folder, "x"), binds, ["sh", "-c", script], { doing: "trying" });
};

it("a program in a jail sees programs and what it was given, and nothing else", async () => {
  const { stdout } = await runScript(
    "echo /*; cat /given; echo x >/out/file; ls /proc/1 /dev /etc /root 2>/dev/null || :",
  );
  const [names = "", given] = stdout.split("\n");
  expect(names.split(" ").filter((name) => !/^\/(s?bin|lib\w*|usr)$/.test(name))).toEqual(["/given", "/out"]);
  expect(given).toBe("given");
  expect(stdout.split("\n")).toHaveLength(2);
  expect(await readFile(join(folder, "written/file"), "utf8")).toBe("x\n");
});

it.each(["/usr/escaped", "/bin/escaped", "/given"])("cannot write %s", async (path) => {
  await expect(runScript(`echo x >${path}`)).rejects.toMatchObject({
    code: "command-failed",
    message: expect.stringContaining("Read-only file system"),
  });
});

it("leaves nothing, whatever it wrote beside", async () => {
  await runScript("echo x >/beside; echo x >/../../above; mkdir -p /var/tmp; echo x >/var/tmp/jail-escaped");
  expect((await readdir(folder)).sort()).toEqual(["read", "written"]);
  expect(await readdir("/var/tmp")).not.toContain("jail-escaped");
  expect(await readdir("/")).not.toContain("above");
  await expect(runScript("exit 3")).rejects.toMatchObject({ data: { exitCode: 3 } });
  expect((await readdir(folder)).sort()).toEqual(["read", "written"]);
});
