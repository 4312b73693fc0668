import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import { execa } from "execa";
import { expect, test } from "vitest";
import { addSyncCommand } from "../../../mirror/sync/command.ts";
import { temporaryDirectory } from "../sample-image.ts";

const root = new URL("../../../", import.meta.url).pathname;
const units = ["metalcast-sync.service", "metalcast-sync.timer"];
const readExample = (name: string) => readFile(join(root, "examples", name), "utf8");

test("systemd takes the units", async () => {
  await using directory = await temporaryDirectory();
  const program = join(directory.path, "metalcast");
  await writeFile(program, "#!/bin/sh\n", { mode: 0o755 });
  await mkdir(join(directory.path, "units"));
  const paths = units.map((unit) => join(directory.path, "units", unit));
  for (const [index, unit] of units.entries()) {
    const text = (await readExample(unit)).replace("/usr/local/bin/metalcast", program);
    await writeFile(paths[index] ?? "", text);
  }
  const verified = await execa("systemd-analyze", ["verify", "--man=no", ...paths], { reject: false, all: true });
  expect({ said: verified.all, exitCode: verified.exitCode }).toEqual({ said: "", exitCode: 0 });
  const calendar = /^OnCalendar=(.*)$/m.exec(await readExample("metalcast-sync.timer"))?.[1] ?? "";
  await execa("systemd-analyze", ["calendar", calendar]);
});

test("the command line knows every option that the examples and the page use", async () => {
  const texts = [...(await Promise.all(units.map(readExample))), await readFile(join(root, "docs", "sync.md"), "utf8")];
  const lines = texts.join("\n").split("\n");
  const used = lines.flatMap((line) =>
    /metalcast sync|--quiet sync/.test(line) ? (line.match(/--[a-z-]+/g) ?? []) : [],
  );
  const program = new Command("metalcast").option("-q, --quiet");
  addSyncCommand(program);
  const known = [...program.options, ...(program.commands[0]?.options ?? [])].map(({ long }) => long);
  expect(used).toEqual(expect.arrayContaining(["--delete", "--bandwidth", "--dry-run", "--quiet"]));
  expect(known).toEqual(expect.arrayContaining(used));
});
