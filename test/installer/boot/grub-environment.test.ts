import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../../../common/run.ts";
import { formatGrubEnvironment, parseGrubEnvironment } from "../../../installer/boot/grub-environment.ts";

let directory: string;
let block: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "grubenv-"));
  block = join(directory, "grubenv");
});
afterAll(() => rm(directory, { recursive: true }));

const edit = (...args: string[]) => run("grub-editenv", [block, ...args], { doing: "editing a block" });

test("what GRUB's own program wrote is read", async () => {
  await edit("create");
  await edit("set", "saved_entry=abc-5.14", "kernelopts=root=UUID=1 ro path=a\\b");
  expect(parseGrubEnvironment(await readFile(block, "utf8"))).toEqual(
    new Map([
      ["saved_entry", "abc-5.14"],
      ["kernelopts", "root=UUID=1 ro path=a\\b"],
    ]),
  );
});

test("GRUB's own program reads what is written, and can add to it", async () => {
  const text = formatGrubEnvironment(new Map([["kernelopts", "root=UUID=2 ro a\\b"]]));
  expect(Buffer.byteLength(text ?? "")).toBe(1024);
  await writeFile(block, text ?? "");
  await edit("set", "boot_success=1");
  expect((await edit("list")).stdout).toBe("kernelopts=root=UUID=2 ro a\\b\nboot_success=1");
});

test("it has no room for more than it holds", () => {
  expect(formatGrubEnvironment(new Map([["kernelopts", "x".repeat(987)]]))).toBeDefined();
  expect(formatGrubEnvironment(new Map([["kernelopts", "x".repeat(988)]]))).toBeUndefined();
});
