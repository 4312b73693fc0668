import { open } from "node:fs/promises";
import { expect, test, vi } from "vitest";
import { formatCommand, observeCommands, run } from "../../common/run.ts";

const doing = "testing";

test("gives standard output, and every line of both streams as it comes", async () => {
  const lines: string[] = [];
  const { stdout } = await run("sh", ["-c", "echo out; echo err >&2; cat"], {
    doing,
    input: "in",
    onLine: (line) => lines.push(line),
  });
  expect(stdout).toBe("out\nin");
  expect(lines.sort()).toEqual(["err", "in", "out"]);
});

test("an open file of this process can be a program's standard input, and the two share it", async () => {
  await using file = await open("/etc/passwd", "r");
  const { stdout } = await run("head", ["--lines=1"], { doing, openInput: file.fd });
  expect(stdout).toMatch(/^root:/);
  // What one has read the other does not read again.
  expect((await file.read(Buffer.alloc(5), 0, 5)).buffer.toString()).not.toBe("root:");
});

test("a character is never torn, and a line without an end is cut", async () => {
  const lines: string[] = [];
  const text = "printf '\\342'; sleep 0.1; printf '\\202\\254\\r\\n\\n'; head -c 100000 /dev/zero | tr '\\0' x";
  await run("sh", ["-c", text], { doing, onLine: (line) => lines.push(line) });
  expect(lines.slice(0, 2)).toEqual(["€", ""]);
  expect(lines.slice(2).join("")).toBe("x".repeat(100_000));
  expect(lines.length).toBeGreaterThan(3);
});

test.each([
  ["read", {}],
  ["read by lines", { onLine: () => {} }],
])("a program that says too much is ended, whatever it makes of a closed pipe: %s", async (_, options) => {
  const stubborn = ["-c", "trap '' PIPE; yes; while :; do sleep 1; done"];
  const endless = run("sh", stubborn, { doing, mostOutputBytes: 10_000, ...options });
  await expect(endless).rejects.toMatchObject({ message: expect.stringMatching(/said too much/) });
});

test("a failure shows the command, its exit and the tail of its standard error", async () => {
  await expect(run("sh", ["-c", "echo 'no such disk' >&2; exit 3"], { doing })).rejects.toMatchObject({
    code: "command-failed",
    message: expect.stringMatching(/testing: `sh -c .*` failed \(exit 3\): no such disk/),
  });
});

test("a missing program is named with the package that has it", async () => {
  const missing = run("sgdisk", [], { doing, env: { PATH: "/nonexistent" } });
  await expect(missing).rejects.toMatchObject({ code: "programs-missing", hint: "apt-get install gdisk" });
});

test("a child sees nothing of our environment", async () => {
  process.env.AWS_SECRET_ACCESS_KEY = "do-not-leak";
  try {
    expect((await run("env", [], { doing })).stdout).not.toContain("do-not-leak");
  } finally {
    delete process.env.AWS_SECRET_ACCESS_KEY;
  }
});

test("exit codes that are answers are no failures", async () => {
  expect(await run("sh", ["-c", "echo 2 found; exit 2"], { doing, accept: [0, 2] })).toEqual({
    stdout: "2 found",
    exitCode: 2,
  });
});

test("what is fed by a stream that fails ends in that failure, not in success", async () => {
  const broken = async function* () {
    yield Buffer.from("half");
    throw new Error("connection lost");
  };
  await expect(run("cat", [], { doing, input: broken() })).rejects.toThrow(/connection lost/);
});

test("a program that fails does not wait for a source that has nothing more to say", async () => {
  const silent = async function* () {
    yield Buffer.from("first\n");
    await new Promise(() => undefined);
  };
  const failing = run("sh", ["-c", "read line; exit 4"], { doing, input: silent() });
  await expect(failing).rejects.toMatchObject({ code: "command-failed", data: { exitCode: 4 } });
});

const count = (sizes: number[]) => async (stdout: AsyncIterable<Uint8Array>) => {
  for await (const chunk of stdout) sizes.push(chunk.length);
};

test("a consumer gets standard output as it comes, and one program can feed another", async () => {
  const sizes: number[] = [];
  await run("head", ["-c", "300000", "/dev/zero"], {
    doing,
    consume: async (stdout) => void (await run("cat", [], { doing, input: stdout, consume: count(sizes) })),
  });
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(300_000);
});

test("a consumer gets all of it, however late it begins to read", async () => {
  const sizes: number[] = [];
  const processId = Promise.withResolvers<number>();
  await run("sh", ["-c", "head -c 1000 /dev/zero; echo $$ >&2"], {
    doing,
    onLine: (line) => processId.resolve(Number(line)),
    consume: async (stdout) => {
      const id = await processId.promise;
      await vi.waitFor(() => expect(() => process.kill(id, 0)).toThrow(), 60_000);
      await count(sizes)(stdout);
    },
  });
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(1000);
});

test("a program that fails has failed, however content its consumer is", async () => {
  const failing = run("sh", ["-c", "echo half; exit 4"], { doing, consume: count([]) });
  await expect(failing).rejects.toMatchObject({ code: "command-failed", data: { exitCode: 4 } });
});

test("a consumer that fails ends the program, and its own error is thrown", async () => {
  const consume = async () => Promise.reject(new Error("disk full"));
  await expect(run("yes", [], { doing, consume })).rejects.toThrow("disk full");
});

const readWhole = async (stdout: AsyncIterable<Uint8Array>) => {
  await count([])(stdout);
  throw new Error("unexpected end");
};

test("a program that failed by itself is to blame, not the consumer that missed the rest", async () => {
  const failing = run("sh", ["-c", "echo half; echo 'bad disk' >&2; exit 4"], { doing, consume: readWhole });
  await expect(failing).rejects.toMatchObject({
    code: "command-failed",
    message: expect.stringContaining("bad disk"),
    data: { exitCode: 4 },
    cause: { message: "unexpected end" },
  });
});

test("of a program that is content, or whose exit is an answer, a consumer's failure is thrown", async () => {
  await expect(run("true", [], { doing, consume: readWhole })).rejects.toThrow("unexpected end");
  const answering = run("sh", ["-c", "exit 4"], { doing, accept: [4], consume: readWhole });
  await expect(answering).rejects.toThrow("unexpected end");
});

test("an interruption is told as such, whatever the consumer makes of it", async () => {
  const controller = new AbortController();
  const consume = async (stdout: AsyncIterable<Uint8Array>) => {
    for await (const _ of stdout) controller.abort();
    throw new Error("unexpected end");
  };
  const running = run("sh", ["-c", "echo half; exec sleep 60"], { doing, signal: controller.signal, consume });
  await expect(running).rejects.toMatchObject({ code: "interrupted", cause: { message: "unexpected end" } });
});

test("a source's failure is thrown, not that of the consumer or of the program it ended", async () => {
  const broken = async function* () {
    yield Buffer.from("half");
    throw new Error("connection lost");
  };
  await expect(run("cat", [], { doing, input: broken(), consume: readWhole })).rejects.toThrow("connection lost");
});

test("a wrapper that blocks SIGTERM is killed, and what it started with it", async () => {
  const controller = new AbortController();
  const wrapped = ["--pid", "--fork", "--kill-child", "sh", "-c", "trap '' TERM; echo started; sleep 60 & wait"];
  const running = run("unshare", wrapped, {
    doing,
    signal: controller.signal,
    killSignal: "SIGKILL",
    onLine: () => controller.abort(),
  });
  await expect(running).rejects.toMatchObject({
    code: "interrupted",
    cause: { signal: "SIGKILL", isForcefullyTerminated: false },
  });
});

test("commands are shown ready to paste", async () => {
  const seen: string[] = [];
  const end = observeCommands((command) => seen.push(command));
  await run("true", ["a b", "it's", "plain"], { doing });
  end();
  expect(seen).toEqual([`true 'a b' 'it'\\''s' plain`]);
  expect(formatCommand("true", [""])).toBe("true ''");
});
