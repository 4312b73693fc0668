import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { loadCatalog } from "../../factory/catalog.ts";
import { loadNightlySettings } from "../../factory/nightly/settings.ts";
import { temporaryDirectory } from "../mirror/sample-image.ts";

const root = new URL("../../", import.meta.url).pathname;
const example = (name: string) => join(root, "examples", name);
const readExample = (name: string) => readFile(example(name), "utf8");

test("the settings are valid, and name images of the catalog", async () => {
  const settings = await loadNightlySettings(example("nightly.yaml"));
  const catalog = await loadCatalog();
  for (const { name } of settings.images ?? expect.unreachable()) expect([...catalog.keys()]).toContain(name);
});

/** `metalcast VERB ... --option ...` in any of the files. */
async function findCommands(): Promise<[string, string, string[]][]> {
  const commands: [string, string, string[]][] = [];
  for (const name of await readdir(join(root, "examples"))) {
    const lines = (await readExample(name)).split("\n").filter((line) => !line.trimStart().startsWith("#"));
    for (const line of lines) {
      const [, verb, rest = ""] = /metalcast ([a-z-]+) (.*\.ya?ml.*)$/.exec(line) ?? [];
      if (verb) commands.push([name, verb, rest.match(/--[a-z-]+/g) ?? []]);
    }
  }
  return commands;
}

test("the commands in the workflows are known to the command line, with their options", async () => {
  const commands = await findCommands();
  expect(new Set(commands.map(([name]) => name))).toEqual(
    new Set(["github-actions.yaml", "gitlab-ci.yaml", "metalcast-nightly.service"]),
  );
  const { stdout: help } = await execa(process.execPath, [join(root, "cli.ts"), "nightly", "--help"]);
  for (const [, verb, options] of commands) {
    expect(verb).toBe("nightly");
    for (const option of [...options, "--force"]) expect(help).toContain(`${option} `);
  }
});

const steps = z.array(z.looseObject({ uses: z.string().optional(), run: z.string().optional() }));
const github = z.looseObject({
  on: z.looseObject({ schedule: z.array(z.object({ cron: z.string().regex(/^(\S+ ){4}\S+$/) })) }),
  concurrency: z.object({ group: z.string(), "cancel-in-progress": z.literal(false) }),
  jobs: z.record(z.string(), z.looseObject({ "runs-on": z.unknown(), steps })),
});
const gitlab = z.record(
  z.string(),
  z.looseObject({ script: z.array(z.string()), artifacts: z.looseObject({ paths: z.array(z.string()) }) }),
);

test.each([
  ["github-actions.yaml", github],
  ["gitlab-ci.yaml", gitlab],
])("%s has the shape that the service expects, and its shell lines are valid", async (name, schema) => {
  const workflow = schema.parse(parse(await readExample(name)));
  const scripts = JSON.stringify(workflow, (key, value) =>
    key === "run" || key === "script" || key === "before_script" ? { shell: [value].flat().join("\n") } : value,
  );
  const shells = [...scripts.matchAll(/"shell":("(?:[^"\\]|\\.)*")/g)].map(([, text = ""]) => String(JSON.parse(text)));
  expect(shells.length).toBeGreaterThan(1);
  for (const shell of shells) await execa("sh", ["-n"], { input: shell });
});

test.each(["github-actions.yaml", "gitlab-ci.yaml"])("%s installs what a build runs", async (name) => {
  const packages = /apt-get install --yes --no-install-recommends (.*)/.exec(await readExample(name))?.[1]?.split(" ");
  // As factory/requirements.ts asks for the programs of these, beside what every Debian has.
  expect(packages).toEqual(expect.arrayContaining(["e2fsprogs", "gpgv", "mtools", "packer", "xz-utils", "zstd"]));
});

test("systemd takes the units", async () => {
  await using directory = await temporaryDirectory();
  const program = join(directory.path, "metalcast");
  await writeFile(program, "#!/bin/sh\n", { mode: 0o755 });
  await mkdir(join(directory.path, "units"));
  const units = ["metalcast-nightly.service", "metalcast-nightly.timer"];
  const paths = units.map((unit) => join(directory.path, "units", unit));
  for (const [index, unit] of units.entries()) {
    const text = (await readExample(unit)).replace("/usr/local/bin/metalcast", program);
    await writeFile(paths[index] ?? "", text);
  }
  const verified = await execa("systemd-analyze", ["verify", "--man=no", ...paths], { reject: false, all: true });
  expect({ said: verified.all, exitCode: verified.exitCode }).toEqual({ said: "", exitCode: 0 });
  const calendar = /^OnCalendar=(.*)$/m.exec(await readExample("metalcast-nightly.timer"))?.[1] ?? "";
  await execa("systemd-analyze", ["calendar", calendar]);
});
