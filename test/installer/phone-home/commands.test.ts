import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { addGlobalOptions, runCommandLine } from "../../../common/command-line.ts";
import { addPhoneHomeCommands } from "../../../installer/phone-home/commands.ts";
import { report } from "./report.ts";
import { freePort } from "./scratch-root.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "phone-home-test-"));
});
afterAll(() => rm(directory, { recursive: true }));

/** Runs one verb as the command line does. */
function metalcast(...words: string[]): Promise<number> {
  const program = addGlobalOptions(new Command("metalcast"));
  addPhoneHomeCommands(program);
  return runCommandLine(program, words);
}

test("serve, expect and wait find each other", async () => {
  const written: string[] = [];
  const stdout = vi.spyOn(process.stdout, "write").mockImplementation((text) => written.push(String(text)) > 0);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  const tokenFile = join(directory, "operator-token");
  const access = ["--service", url, "--operator-token-file", tokenFile];
  const place = ["--state", join(directory, "state.json"), "--host", "127.0.0.1", "--port", String(port)];

  await writeFile(tokenFile, "operator-token-of-the-test\n");

  const serving = metalcast("--quiet", "phone-home", "serve", ...place, "--operator-token-file", tokenFile);
  await vi.waitFor(() => expect(written).toContain(`listening on ${url}\n`), { timeout: 20_000 });

  expect(await metalcast("phone-home", "expect", "server-1", ...access)).toBe(0);
  const token = written.at(-1)?.trim();
  const headers = { authorization: `Bearer ${token}` };
  await fetch(`${url}phone-home`, { method: "POST", headers, body: JSON.stringify(report()) });
  expect(await metalcast("phone-home", "wait", "server-1", ...access)).toBe(0);
  expect(written.at(-1)).toContain("web-1 is up, cloud-init: done\nSHA256:aaa");
  expect(await metalcast("--json", "phone-home", "wait", "server-1", ...access)).toBe(0);
  expect(JSON.parse(written.at(-1) ?? "")).toEqual(report());

  process.emit("SIGTERM");
  expect(await serving).toBe(0);
  stdout.mockRestore();
});

test("a missing operator token is a matter of configuration", async () => {
  const stderr = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const missing = join(directory, "none");
  expect(await metalcast("phone-home", "wait", "x", "--service", "http://x/", "--operator-token-file", missing)).toBe(
    3,
  );
  expect(stderr.mock.calls.join("")).toContain(`reading the operator token: ${missing} holds no token`);
  stderr.mockRestore();
});
