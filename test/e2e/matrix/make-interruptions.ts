import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { type Event, eventSchema } from "../../../common/event.ts";

/** Runs in the rescue system: interrupts `metalcast install` at several moments, and tells how it ends and what it leaves. */
const job = "/root/job/job.json";

/** As service managers do, to the one process; and as Ctrl-C does, to all that the terminal has in the foreground. */
type Way = "SIGTERM" | "Ctrl-C";

const moments: readonly (readonly [step: string, kind: Event["kind"], way: Way])[] = [
  ["wipe-1", "step-started", "SIGTERM"],
  ["assemble-root", "step-started", "Ctrl-C"],
  ["format-root", "step-started", "Ctrl-C"],
  ["mount", "step-started", "SIGTERM"],
  ["lay-image", "step-progress", "SIGTERM"],
  ["lay-image", "step-progress", "Ctrl-C"],
];

for (const [step, kind, way] of moments) {
  const tell = (what: string, found: unknown) => process.stdout.write(`${way} in ${step}, ${what}: ${found}\n`);
  const { exitCode, errors, events } = await interrupt(step, kind, way);
  tell("exit", `${exitCode}, ${errors.filter((line) => !line.startsWith("hint:")).join(" ")}`);
  tell("open steps", listOpen(events).join(" ") || "none");
  tell("ends with", describeEnd(events));
  tell("leaves", (await listLeft()).join(", ") || "nothing");
}

async function interrupt(step: string, kind: Event["kind"], way: Way) {
  const child = spawn("/usr/bin/metalcast", ["--json", "install", job], {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const events: Event[] = [];
  const errors: string[] = [];
  let isSent = false;
  createInterface(child.stderr).on("line", (line) => errors.push(line));
  createInterface(child.stdout).on("line", (line) => {
    const event = eventSchema.parse(JSON.parse(line));
    events.push(event);
    if (isSent || !("step" in event) || event.step !== step || event.kind !== kind || child.pid === undefined) return;
    isSent = true;
    if (way === "SIGTERM") child.kill("SIGTERM");
    else process.kill(-child.pid, "SIGINT");
  });
  const [exitCode] = await once(child, "close");
  return { exitCode, errors, events };
}

function listOpen(events: readonly Event[]): string[] {
  const ended = (step: string) =>
    events.some((event) => (event.kind === "step-finished" || event.kind === "step-failed") && event.step === step);
  return events.flatMap((event) => (event.kind === "step-started" && !ended(event.step) ? event.step : []));
}

function describeEnd(events: readonly Event[]): string {
  const failed = events.flatMap((event) =>
    event.kind === "step-failed" || event.kind === "operation-failed" ? `${event.kind} ${event.failure.code}` : [],
  );
  const notes = events.flatMap((event) => (event.kind === "note" ? event.text : []));
  return [...failed, ...notes].join(", ");
}

async function listLeft(): Promise<string[]> {
  const lines = async (file: string) => (await readFile(file, "utf8")).split("\n");
  const programs = (await readdir("/proc")).filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid);
  const working = programs.map(async (id) => {
    const environment = await readFile(`/proc/${id}/environ`, "utf8").catch(() => "");
    return environment.includes("METALCAST_STARTER=") ? [`program ${await readFile(`/proc/${id}/comm`, "utf8")}`] : [];
  });
  return [
    ...(await lines("/proc/mounts")).filter((line) => line.includes(" /run/metalcast")),
    ...(await lines("/proc/mdstat")).filter((line) => line.startsWith("md")),
    ...(await readdir("/run/udev/rules.d")),
    ...(await Promise.all(working)).flat(),
  ];
}
