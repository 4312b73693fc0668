import { mkdir } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Secret } from "../../../common/secret.ts";
import { runHook } from "../../../installer/hooks/run-hook.ts";
import { runDirectory } from "../../../installer/run-directory.ts";
import type { Step } from "../../../installer/step.ts";
import { findProcesses, HostileImage } from "../boot/hostile-image.ts";

type HookStep = Extract<Step, { kind: "hook" }>;

let image: HostileImage;
beforeEach(async () => {
  image = await HostileImage.make();
  await mkdir(runDirectory, { recursive: true });
});
afterEach(() => image[Symbol.asyncDispose]());

function hook(where: HookStep["where"], content: string, fields: Partial<HookStep> = {}): HookStep {
  return {
    kind: "hook",
    name: "hook-after-laying-1",
    title: "run tune.sh",
    where,
    script: { name: "./tune.sh", sizeBytes: content.length, sha256: "", content: new Secret(content) },
    timeoutMs: 30_000,
    network: false,
    // perl would complain of a locale that the image has no files of.
    environment: { METALCAST_HOSTNAME: "web-1", PERL_BADLANG: "0" },
    secrets: [new Secret("hunter2"), new Secret("first line\nsecond line\n"), new Secret("abc")],
    target: image.path,
    devices: [],
    ...fields,
  };
}

async function say(step: HookStep, signal?: AbortSignal): Promise<string[]> {
  const lines: string[] = [];
  await runHook(step, { onLine: (line) => lines.push(line), ...(signal && { signal }) });
  return lines;
}

describe.each(["rescue", "target"] as const)("in the %s", (where) => {
  test("a script is told what it should know, and each of its lines comes out", async () => {
    const script = "#!/bin/sh -e\necho $METALCAST_HOSTNAME\necho error >&2\npwd\nfalse\necho never\n";
    const lines: string[] = [];
    const failing = runHook(hook(where, script), { onLine: (line) => lines.push(line) });
    await expect(failing).rejects.toMatchObject({
      code: "hook-failed",
      kind: "failed",
      message: "running the hook ./tune.sh: `./tune.sh` failed (exit 1): error",
      hint: expect.any(String),
      data: { hook: "./tune.sh", step: "hook-after-laying-1", exitCode: 1 },
    });
    expect(lines.sort()).toEqual(["/", "error", "web-1"]);
  });

  test("the interpreter is the script's own, with its argument", async () => {
    expect(await say(hook(where, "#! /usr/bin/perl -w\nprint $^W, qq(\\n)"))).toEqual(["1"]);
  });

  test("it has no secret, and nothing to read", async () => {
    process.env.AWS_SECRET_ACCESS_KEY = "do-not-leak";
    try {
      expect((await say(hook(where, "#!/bin/sh\nenv; cat; cat /proc/*/environ"))).join("\n")).not.toContain(
        "do-not-leak",
      );
    } finally {
      delete process.env.AWS_SECRET_ACCESS_KEY;
    }
  });

  test("secrets of the job are in none of its lines, nor in the error", async () => {
    const script = "#!/bin/sh\necho hunter2 is it, second line, abc; echo the hunter2 >&2; exit 3\n";
    const lines: string[] = [];
    const failing = runHook(hook(where, script), { onLine: (line) => lines.push(line) });
    await expect(failing).rejects.toMatchObject({ message: expect.stringMatching(/exit 3\): the \[hidden\]$/) });
    expect(lines.sort()).toEqual(["[hidden] is it, [hidden], abc", "the [hidden]"]);
  });

  test("one that does not end in time is ended, with all that it started", async () => {
    const mark = `late-${where}-${process.pid}`;
    const late = say(hook(where, `#!/bin/sh\nsh -c 'sleep 600; : ${mark}' &\nsleep 600\n`, { timeoutMs: 1_500 }));
    await expect(late).rejects.toMatchObject({
      code: "hook-timeout",
      kind: "failed",
      message: expect.stringMatching(/^running the hook \.\/tune\.sh: .*ran out of time/),
      data: { hook: "./tune.sh", timeoutMs: 1_500 },
    });
    expect(await findProcesses(mark)).toEqual([]);
  });

  test("an interruption ends it as well, and nothing runs on after it", async () => {
    const mark = `left-${where}-${process.pid}`;
    await say(hook(where, `#!/bin/sh\nsh -c 'sleep 600; : ${mark}' &\n`));
    expect(await findProcesses(mark)).toEqual([]);
    const interruption = new AbortController();
    const step = hook(where, `#!/bin/sh\nsh -c 'sleep 600; : ${mark}' & echo up; sleep 600\n`);
    const interrupted = runHook(step, { onLine: () => interruption.abort(), signal: interruption.signal });
    await expect(interrupted).rejects.toMatchObject({ code: "interrupted", kind: "interrupted" });
    expect(await findProcesses(mark)).toEqual([]);
  });
});

test("one in the target is behind the fence", async () => {
  expect(await say(hook("target", "#!/bin/sh\necho $(ls /)"))).toEqual([
    "bin dev etc lib lib64 mnt proc root run sys tmp usr",
  ]);
  expect(await say(hook("target", "#!/bin/sh\necho $(ls /sys/class/net)"))).toEqual(["lo"]);
  const network = await say(hook("target", "#!/bin/sh\necho $(ls /sys/class/net)", { network: true }));
  expect(network).toEqual(await say(hook("rescue", "#!/bin/sh\necho $(ls /sys/class/net)")));
});

test("one in the rescue system sees its processes and disks, and leaves nothing mounted", async () => {
  const lines = await say(
    hook(
      "rescue",
      `#!/bin/sh\nls -d /proc/1/root/etc; mount -t tmpfs x ${image.path}/mnt && touch ${image.path}/mnt/x`,
    ),
  );
  expect(lines).toEqual(["/proc/1/root/etc"]);
  expect(await image.list("mnt")).toEqual([]);
});
