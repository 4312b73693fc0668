import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { openStore } from "../../../mirror/open-store.ts";
import { addVerifyCommand } from "../../../mirror/verify/command.ts";
import { describeVerified } from "../../../mirror/verify/describe-verified.ts";
import { runCommand } from "../run-command.ts";
import { temporaryDirectory } from "../sample-image.ts";
import { cut, firstPrefix, openSampleMirror, overwrite, secondPrefix } from "./sample-mirror.ts";

/** A mirror, another with the same content, and the root in a file. */
async function openPlaces() {
  const directory = await temporaryDirectory();
  const urlOf = (name: string) => pathToFileURL(join(directory.path, name)).href;
  for (const name of ["mirror", "other"]) await mkdir(join(directory.path, name));
  const { store, copy, root } = await openSampleMirror(openStore(urlOf("mirror")));
  const other = openStore(urlOf("other"));
  for await (const { key } of copy.list("")) await other.write(key, copy.read(key));
  const rootFile = join(directory.path, "root.json");
  await writeFile(rootFile, root);
  return { ...directory, store, url: urlOf("mirror"), other: urlOf("other"), rootFile };
}

const metalcast = (...words: string[]) => runCommand(addVerifyCommand, words);

test("it says what is wrong before it fails, repairs it, and is content", async () => {
  await using places = await openPlaces();
  const { store, url, other, rootFile } = places;
  const words = [url, "--root", rootFile];
  await overwrite(store, `${firstPrefix}image.tar.zst`, cut);
  await store.remove(`${secondPrefix}image.tar.zst`);
  await store.write("images/debian-12/amd64/20261101.0/image.tar.zst", Buffer.from("left over"));
  const damaged = await metalcast("-q", "verify", ...words, "--quick");
  expect(damaged.exitCode).toBe(4);
  expect(damaged.stdout.split("\n").map((line) => line.replace(/ +/g, " "))).toEqual([
    "problem object",
    expect.stringMatching(/^size images\/debian-12\/amd64\/20261121\.0\/image\.tar\.zst \d+ bytes, not \d+$/),
    "missing images/debian-12/amd64/20261122.0/image.tar.zst",
    "orphan images/debian-12/amd64/20261101.0/image.tar.zst 9 B",
    expect.stringMatching(/^checked 14 objects \(.* read\), 2 damaged, 1 that nothing refers to \(9 B\)$/),
    expect.stringMatching(/\/mirror: statement 4, good until \d{4}-\d\d-\d\d \d\d:\d\d UTC$/),
    "",
  ]);
  expect(damaged.stderr).toMatch(/^error: verifying .*\/mirror: 2 found damaged or missing: .*\nhint: .*--repair-from/);

  const dry = await metalcast("-q", "verify", ...words, "--repair-from", other, "--dry-run");
  expect(dry).toMatchObject({ exitCode: 4, stdout: expect.stringContaining(`would be repaired: ${firstPrefix}`) });
  const repaired = await metalcast("--json", "verify", ...words, "--repair-from", other);
  expect(repaired.exitCode).toBe(0);
  expect(JSON.parse(repaired.stdout.trim().split("\n").at(-1) ?? "")).toMatchObject({
    ok: true,
    version: 4,
    checked: { objects: 14 },
    findings: [{ problem: "orphan", found: 9 }],
    repaired: [{ problem: "size" }, { problem: "missing" }],
  });
});

test("filters are a sync's, and exit codes say what to do", async () => {
  await using places = await openPlaces();
  const { store, url, rootFile } = places;
  const verify = (...words: string[]) => metalcast("-q", "verify", url, "--root", rootFile, ...words);
  await store.remove(`${firstPrefix}image.tar.zst`);
  expect(await verify("--image", "rocky-9", "--image", "rocky-9", "--arch", "arm64")).toMatchObject({ exitCode: 0 });
  expect(await verify("--channel", "stable", "--newest", "1")).toMatchObject({ exitCode: 0 });
  expect(await verify("--newest", "2")).toMatchObject({ exitCode: 4 });
  for (const [exitCode, words] of [
    [2, ["--arch", "sparc"]],
    [3, ["--image", "debian-13"]],
    [3, ["--newest", "none"]],
    [3, ["--root", `${rootFile}.missing`]],
  ] as const) {
    expect(await verify(...words)).toMatchObject({ exitCode, stdout: "" });
  }
  await overwrite(store, "metadata/timestamp.json", () => Buffer.from("{}"));
  const refused = await verify("--quick");
  expect(refused.stderr).toContain("hint: readers refuse this mirror");
});

test("people are told of what expires within a day, and of what has", () => {
  const base = { store: "s3://images", ok: true, checked: { objects: 3, bytes: 1024 }, findings: [], repaired: [] };
  const verified = { ...base, version: 7, expires: "2026-11-24T03:00:00.000Z", expiresFirst: "timestamp" };
  const tell = (now: string) =>
    describeVerified(verified, { dryRun: false, now: new Date(now) })
      .split("\n")
      .at(-1);
  expect(tell("2026-11-20T00:00:00Z")).toBe("s3://images: statement 7, good until 2026-11-24 03:00 UTC");
  expect(tell("2026-11-23T04:00:00Z")).toContain("within a day (timestamp): have it renewed, or sync it");
  expect(tell("2026-11-24T04:00:00Z")).toContain("expired since 2026-11-24 03:00 UTC (timestamp)");
  expect(describeVerified(base, { dryRun: false, now: new Date() })).toContain("its statement can't be read");
});
