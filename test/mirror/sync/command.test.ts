import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { openStore } from "../../../mirror/open-store.ts";
import { addSyncCommand } from "../../../mirror/sync/command.ts";
import { collect } from "../gather.ts";
import { runCommand } from "../run-command.ts";
import { temporaryDirectory } from "../sample-image.ts";
import { keysOf, putMirror, readEverything, sampleVersion, versionPrefix } from "./unsigned-mirror.ts";

const first = sampleVersion("20261121.0");
const second = sampleVersion("20261122.0");
/** A mirror with two versions, and an empty place beside it. */
async function openPlaces() {
  const directory = await temporaryDirectory();
  const urlOf = (name: string) => pathToFileURL(join(directory.path, name)).href;
  for (const name of ["from", "to"]) await mkdir(join(directory.path, name));
  const [from, to] = [urlOf("from"), urlOf("to")];
  const channels = { "debian-12:stable": "20261122.0" };
  await putMirror(openStore(from), 4, { images: [first, second], channels, expires: "2096-10-02T07:06:40Z" });
  return { ...directory, from, to };
}

const metalcast = (...words: string[]) => runCommand(addSyncCommand, words);

test("it copies, and tells people and programs what it did", async () => {
  await using places = await openPlaces();
  const { from, to } = places;
  const copied = await metalcast("-q", "sync", from, to, "--channel", "stable", "--bandwidth", "50M");
  expect(copied.stdout.split("\n").map((line) => line.replace(/ +/g, " "))).toEqual([
    "image arch copied removed",
    expect.stringMatching(/^debian-12 amd64 4 \(.* KiB\) nothing$/),
    expect.stringMatching(/^copied 9 \(.* KiB\), there already nothing, removed nothing$/),
    expect.stringMatching(/\/to: statement 4, good until 2096-10-02 07:06 UTC; \d+ m?s$/),
    "",
  ]);
  expect(await readEverything(openStore(to), { channels: ["stable"] })).toBe(4);
  expect(await keysOf(openStore(to), versionPrefix(first))).toEqual([]);

  const again = await metalcast("sync", "--json", from, to, "--image", "debian-12", "--image", "debian-12");
  expect(JSON.parse(again.stdout.trim().split("\n").at(-1) ?? "")).toMatchObject({
    version: 4,
    pointerMoved: false,
    copied: { objects: 3 },
    images: [{ name: "debian-12", arch: "amd64", copied: { objects: 3 } }],
  });
  const dry = await metalcast("-q", "sync", from, to, "--newest", "1", "--arch", "amd64", "--delete", "--dry-run");
  expect(dry.stdout).toMatch(/would be copied nothing, .*, would be removed 3 \(.*\)\n.*statement 4, as before/);
  expect(await keysOf(openStore(to), versionPrefix(first))).toHaveLength(3);
});

test.each([
  [2, ["--arch", "sparc"], "expected one of amd64, arm64"],
  [3, ["--newest", "none"], "not a number of versions"],
  [3, ["--bandwidth", "fast"], "not a size"],
  [3, ["--image", "debian-13"], "images there: debian-12"],
])("exit code %i: %j", async (exitCode, words, says) => {
  await using places = await openPlaces();
  const { from, to } = places;
  const said = await metalcast("-q", "sync", from, to, ...words);
  expect(said).toMatchObject({ exitCode, stdout: "", stderr: expect.stringContaining(says) });
});

describe("metrics", () => {
  async function openMetrics() {
    const places = await openPlaces();
    const file = join(places.path, "sync.prom");
    const read = () => readFile(file, "utf8");
    const value = async (name: string) =>
      new RegExp(`^metalcast_sync_${name}\\{from="${places.from}",to="${places.to}"\\} (.*)$`, "m").exec(
        await read(),
      )?.[1];
    const run = () => metalcast("-q", "sync", places.from, places.to, "--metrics", file);
    return { ...places, read, value, run };
  }

  test("say how the last run went, and when readers will refuse the mirror", async () => {
    await using metrics = await openMetrics();
    const { path, read, value, run } = metrics;
    const before = Date.now() / 1000;
    expect(await run()).toMatchObject({ exitCode: 0 });
    expect(await value("success")).toBe("1");
    expect(Number(await value("timestamp_seconds"))).toBeGreaterThanOrEqual(Math.floor(before));
    expect(Number(await value("duration_seconds"))).toBeGreaterThan(0);
    expect(await value("copied_objects")).toBe("12");
    expect(await value("copied_on_server_bytes")).toBe("0");
    expect(await value("deleted_objects")).toBe("0");
    expect(await value("pointer_expires_timestamp_seconds")).toBe("4000000000");
    expect(await readdir(path)).toEqual(["from", "sync.prom", "to"]);
    for (const line of (await read()).trim().split("\n")) expect(line).toMatch(/^(# (HELP|TYPE) )?metalcast_sync_\S+ /);
  });

  test("a run that failed leaves the target's expiry; one that found another running leaves all", async () => {
    await using metrics = await openMetrics();
    const { from, to, read, value, run } = metrics;
    await run();
    const key = "metadata/4.snapshot.json";
    const snapshot = await collect(openStore(from).read(key));
    await openStore(from).remove(key);
    expect(await run()).toMatchObject({ exitCode: 4 });
    expect(await value("success")).toBe("0");
    expect(await value("copied_bytes")).toBeUndefined();
    expect(await value("pointer_expires_timestamp_seconds")).toBe("4000000000");

    await openStore(from).write(key, snapshot);
    await openStore(to).remove(`${versionPrefix(first)}image.tar.zst`);
    const former = await read();
    const lock = { owner: "o", host: "h", expires: "2099-01-01T00:00:00Z" };
    await openStore(to).write("locks/sync.json", Buffer.from(JSON.stringify(lock)));
    expect(await run()).toMatchObject({ exitCode: 5, stderr: expect.stringContaining("another run, on h") });
    expect(await read()).toBe(former);
  });

  test("that can't be written are told after the sync", async () => {
    await using places = await openPlaces();
    const { path, from, to } = places;
    await writeFile(join(path, "file"), "");
    const said = await metalcast("-q", "sync", from, to, "--metrics", join(path, "file", "sync.prom"));
    expect(said).toMatchObject({ exitCode: 3, stderr: expect.stringContaining("sync.prom") });
    expect(await readEverything(openStore(to))).toBe(4);
  });
});
