import { afterAll, beforeAll, expect, test } from "vitest";
import { bundle } from "../../lab/bundle.ts";
import type { Server } from "../../lab/server.ts";
import { debian12, installServer, openCastStage } from "../scenario.ts";
import { type Stage, twoDisks } from "../stage.ts";

/** `after: kexec` in a rescue system whose kernel loads no other, and in one whose kernel does. */
const instance = { hostname: "kexec-1", uuid: crypto.randomUUID(), userData: "#cloud-config\n{}\n" };

/** User Mode Linux knows no kexec; other kernels load none from then on. */
const disableLoading = `file=/proc/sys/kernel/kexec_load_disabled; [ ! -e $file ] || echo 1 >$file; exec "$@"`;

let stage: Stage;
let server: Server;

beforeAll(async () => {
  stage = await openCastStage(debian12);
  server = await stage.makeServer("kexec", twoDisks.slice(0, 1));
});

afterAll(() => stage?.[Symbol.asyncDispose]());

test("where no kernel can be loaded, a note says so, and the server is installed all the same", async () => {
  const { job, files } = await stage.makeJob(instance, "file:///srv/mirror");
  const notes: string[] = [];
  const outcome = await installServer(
    server,
    {
      job: { ...job, storage: "single", disks: { count: 1 }, after: "kexec" },
      files,
      shares: { "/srv/mirror": stage.mirror },
      prefix: ["sh", "-c", disableLoading, "sh"],
      // Nothing starts anew there that a rescue system would be in the way of.
      rescueFiles: { "/usr/local/sbin/reboot": "#!/bin/sh\n" },
    },
    (event) => event.kind === "note" && notes.push(event.text),
  );
  expect(outcome.exitCode).toBe(0);
  expect(notes.filter((text) => text.includes("the server will start through its firmware"))).toHaveLength(1);
});

test("the installed kernel is started by the rescue system, and the server phones home", async () => {
  const program = new URL("./make-kexec.ts", import.meta.url).pathname;
  const lines: string[] = [];
  const cut = new AbortController();
  const rescue = server.bootRescue({
    firmware: "uefi",
    // What runs in the rescue system ends with it.
    command: ["sh", "-ec", "node /root/job/program.mjs; exec tail -f /dev/null"],
    files: { "/root/job/program.mjs": await bundle({ entryPoints: [program] }) },
    timeoutMs: 30 * 60_000,
    onLine: (line) => lines.push(line),
    signal: cut.signal,
  });
  const report = await stage.waitForReport(instance, { exit: rescue });
  expect(report).toMatchObject({ hostname: "kexec-1", cloudInit: "done" });
  expect(lines.slice(0, 1)).toEqual(["released"]);
  cut.abort();
  await rescue;
});
