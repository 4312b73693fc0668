import { once } from "node:events";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { bootTestByCommand } from "../../factory/nightly/boot-test.ts";
import { loadNightlySettings, parseNightlySettings } from "../../factory/nightly/settings.ts";
import { openStore } from "../../mirror/open-store.ts";
import { temporaryDirectory } from "../mirror/sample-image.ts";
import { newMirror } from "../mirror/trust/new-mirror.ts";

const read = (text: string) => parseNightlySettings(text, "/etc/metalcast/nightly.yaml");

test("the least that a nightly needs is a store, and its keys", () => {
  expect(read("store: s3://images\nkeys: keys")).toEqual({
    store: "s3://images",
    keys: "/etc/metalcast/keys",
    work: "/var/lib/metalcast/nightly",
    promote: "tested",
  });
});

test("paths are relative to the file; sizes and durations have units", () => {
  const checksum = `sha256:${"0".repeat(64)}`;
  const settings = read(`
    store: file:///srv/mirror
    keys: ./keys
    images: [debian-12, { name: rhel-9, source: rhel.img, checksum: "${checksum}", format: raw }]
    customize: { way: qemu }
    rhsm: { organization: "123", activationKeyFile: ./key }
    work: ./work
    logs: ../logs
    diskPerBuild: 20 GiB
    maxAge: 7d
    buildTimeout: 90 min
    grace: 36h
    bootTest: { command: [./boot, --fast], timeout: 45 min, environment: [AWS_PROFILE] }
    requireQualified: [Dell Inc. PowerEdge R640]`);
  expect(settings).toMatchObject({
    images: [
      { name: "debian-12" },
      { name: "rhel-9", local: { source: "/etc/metalcast/rhel.img", checksum, format: "raw" } },
    ],
    customize: { way: "qemu", accelerator: "auto" },
    rhsm: { organization: "123", activationKeyFile: "/etc/metalcast/key" },
    work: "/etc/metalcast/work",
    logs: "/etc/logs",
    diskPerBuild: 20 * 2 ** 30,
    maxAge: 7 * 86_400_000,
    buildTimeout: 90 * 60_000,
    grace: 36 * 3_600_000,
    bootTest: { command: ["./boot", "--fast"], timeout: 45 * 60_000, environment: ["AWS_PROFILE"] },
    requireQualified: ["Dell Inc. PowerEdge R640"],
  });
});

test("all wrong fields are told at once", () => {
  const wrong = "{ paralel: 2, keep: 0, maxAge: 7 days, diskPerBuild: much, bootTest: { command: [] } }";
  expect(() => read(wrong)).toThrow(
    expect.objectContaining({
      code: "nightly-invalid",
      kind: "configuration",
      message: expect.stringMatching(
        /nightly\.yaml is not valid: store: .*diskPerBuild: "much" is not a size.*maxAge: "7 days" is not a duration.*bootTest\.command.*keep.*paralel/,
      ),
    }),
  );
});

test.each([
  "store: [",
  "",
  "- store",
  "store: s3://a\nimages: []",
  "store: s3://a\nimages: [../x]",
  "store: s3://a\nimages: [a, a]",
])("%j is refused", (text) => {
  expect(() => read(text)).toThrow(expect.objectContaining({ code: "nightly-invalid" }));
});

test("with a boot test, nothing is promoted that did not pass it", () => {
  expect(() => read("store: s3://a\nkeys: k\npromote: untested\nbootTest: { command: [x] }")).toThrow(
    /promote: with a boot test/,
  );
});

test("a file that is not there is told by its name", async () => {
  await expect(loadNightlySettings("/nonexistent.yaml")).rejects.toMatchObject({ code: "nightly-unreadable" });
});

describe("a boot test by a command", () => {
  async function boot(script: string, environment: string[] = []) {
    await using directory = await temporaryDirectory();
    const program = join(directory.path, "boot-test");
    await writeFile(program, `#!/bin/sh\n${script}\n`);
    await chmod(program, 0o755);
    const said: string[] = [];
    const test = bootTestByCommand({
      command: ["./boot-test", "--fast"],
      timeoutMs: 20_000,
      environment,
      directory: directory.path,
      root: "/etc/metalcast/keys/root.json",
    });
    const subject = { store: "s3://images", reference: "debian-12@20261124.0", arch: "amd64" } as const;
    await test({ ...subject, say: (text) => said.push(text) }, new AbortController().signal);
    return said;
  }

  test("gets the store, the version and the architecture, and its output is told", async () => {
    expect(await boot('echo "$@"')).toEqual(["--fast s3://images debian-12@20261124.0 amd64"]);
  });

  test("fails by its exit code", async () => {
    await expect(boot("echo no login >&2; exit 3")).rejects.toMatchObject({
      code: "command-failed",
      message: expect.stringMatching(/^boot-testing debian-12@20261124\.0: .*exit 3\): no login$/),
    });
  });

  test("sees the variables that are named, and no others", async () => {
    process.env.NIGHTLY_TEST_SHOWN = "shown";
    process.env.NIGHTLY_TEST_SECRET = "hidden";
    try {
      const said = await boot("env", ["NIGHTLY_TEST_SHOWN", "NIGHTLY_TEST_UNSET"]);
      expect(said.filter((line) => line.startsWith("NIGHTLY_TEST"))).toEqual(["NIGHTLY_TEST_SHOWN=shown"]);
    } finally {
      delete process.env.NIGHTLY_TEST_SHOWN;
      delete process.env.NIGHTLY_TEST_SECRET;
    }
  });

  test("is ended when its time is over, or with the nightly", async () => {
    const subject = {
      store: "s3://a",
      reference: "debian-12@20261124.0",
      arch: "amd64",
      say: () => undefined,
    } as const;
    const slow = { environment: [], directory: "/", root: "/root.json" };
    const late = bootTestByCommand({ command: ["sh", "-c", "exec sleep 3600"], timeoutMs: 100, ...slow });
    await expect(late(subject, new AbortController().signal)).rejects.toThrow(/ran out of time/);
    const interrupted = bootTestByCommand({ command: ["sh", "-c", "exec sleep 3600"], timeoutMs: 3_600_000, ...slow });
    const interruption = new AbortController();
    const running = interrupted(subject, interruption.signal);
    interruption.abort();
    await expect(running).rejects.toMatchObject({ kind: "interrupted" });
  });
});

describe("metalcast nightly", () => {
  const cli = new URL("../../cli.ts", import.meta.url).pathname;
  const metalcast = (...words: string[]) => execa(process.execPath, [cli, ...words], { reject: false });

  /** A vendor's file to bring, which nobody has brought: what is to be done is known without a network. */
  async function prepare(directory: string) {
    await mkdir(join(directory, "mirror"));
    const { mirror, keys } = await newMirror(openStore(`file://${directory}/mirror`), { directory });
    const settings = join(directory, "nightly.yaml");
    const where = `store: file://${directory}/mirror\nkeys: ${keys}\nwork: ./work\n`;
    await writeFile(settings, `${where}images: [rhel-9]\ndiskPerBuild: 1 MiB\n`);
    return { settings, mirror };
  }

  test("prints a table, or JSON, and writes the summary", async () => {
    await using directory = await temporaryDirectory();
    const { settings } = await prepare(directory.path);
    const summary = join(directory.path, "summary.json");
    const { stdout, exitCode } = await metalcast("nightly", settings, "--summary", summary);
    expect(stdout).toMatch(/^image +arch +result[^\n]*\nrhel-9 +amd64 +skipped[^\n]*the vendor has no download/);
    expect(exitCode).toBe(0);
    const written = JSON.parse(await readFile(summary, "utf8"));
    expect(written).toMatchObject({ outcome: "ok", images: [{ name: "rhel-9", outcome: "skipped" }] });
    const json = await metalcast("--json", "nightly", settings, "--only", "rhel-9");
    expect(JSON.parse(json.stdout.split("\n").at(-1) ?? "")).toMatchObject({ outcome: "ok" });
  });

  test("a failure of an image is exit code 1, after the summary", async () => {
    await using directory = await temporaryDirectory();
    const { settings, mirror } = await prepare(directory.path);
    await mirror.write("images/rhel-9/amd64/channels.json", Buffer.from("{}"), { ifAbsent: true });
    const { stdout, stderr, exitCode } = await metalcast("-q", "nightly", settings);
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/rhel-9 +amd64 +failed: check/);
    expect(stderr).toMatch(/^error: the nightly of .* 1 of 1 images failed: rhel-9\nhint: .*$/);
  });

  test("a Ctrl-C ends it with a summary all the same", async () => {
    await using directory = await temporaryDirectory();
    const asked = Promise.withResolvers<void>();
    await using server = await listen(asked.resolve);
    const { settings } = await prepare(directory.path);
    await mkdir(join(directory.path, "catalog"));
    const own = `name: slow-1\ntitle: Slow\narch: amd64\nfamily: debian\nformat: qcow2\nlicense: none\ntested: recipe
firmware: [bios]\nsource: { kind: listed, url: "${server.url}/a", checksums: "${server.url}/b", algorithm: sha512 }
packages: { add: [], remove: [] }\ncomponents: []\n`;
    await writeFile(join(directory.path, "catalog/slow-1.yaml"), own);
    const text = (await readFile(settings, "utf8")).replace("[rhel-9]", "[slow-1]\ncatalog: ./catalog");
    await writeFile(settings, text);
    const running = metalcast("-q", "nightly", settings);
    await Promise.race([asked.promise, running]);
    running.kill("SIGINT");
    const { exitCode, stdout, stderr } = await running;
    expect({ exitCode, stderr }).toEqual({
      exitCode: 130,
      stderr: expect.stringMatching(/^error: .*: interrupted\n?$/),
    });
    expect(stdout).toMatch(/slow-1 +amd64 +interrupted.*: interrupted in /s);
  });

  /** A vendor that never answers. */
  async function listen(onRequest: () => void) {
    const server = createServer(onRequest).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (typeof address !== "object" || address === null) return expect.unreachable();
    const close = async () => {
      server.closeAllConnections();
      server.close();
    };
    return { url: `http://127.0.0.1:${address.port}`, [Symbol.asyncDispose]: close };
  }

  test("an image that is in no selection is told", async () => {
    await using directory = await temporaryDirectory();
    const { settings } = await prepare(directory.path);
    const { stderr, exitCode } = await metalcast("nightly", settings, "--only", "debian-12");
    expect({ stderr, exitCode }).toEqual({ stderr: expect.stringContaining('"debian-12"'), exitCode: 3 });
  });
});
