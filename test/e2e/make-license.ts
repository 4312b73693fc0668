import { readFile } from "node:fs/promises";
import type { Event } from "../../common/event.ts";
import { Failure } from "../../common/failure.ts";
import { Secret } from "../../common/secret.ts";
import { execute } from "../../installer/execute.ts";
import { journalPath } from "../../installer/journal.ts";
import { licenseSteps } from "../../installer/license/plan-license.ts";
import type { OnFailure } from "../../installer/release.ts";
import type { Step } from "../../installer/step.ts";
import { LicensedImage, type Server } from "../installer/license/licensed-image.ts";
import { sampleJob } from "../installer/samples.ts";

/** Runs in the rescue system: an installation's steps of a license, with what is before and after them left out. */
const key = "k3y-of-the-organization";
const tell = (what: string, found: unknown) => process.stdout.write(`${what}: ${found}\n`);

const refused = { exit: 70, says: `Invalid Credentials ${key} (HTTP error code 401: Unauthorized)`, half: true };
await attempt("registered", {}, "leave", []);
await attempt("refused", refused, "leave", []);
await attempt("later, clean", {}, "clean", [{ kind: "commands", name: "later", title: "fail", commands: [["false"]] }]);

async function attempt(name: string, server: Partial<Server>, onFailure: OnFailure, later: Step[]): Promise<void> {
  const image = await LicensedImage.make(server);
  const license = { rhsm: { organization: "123", activationKey: new Secret(key) } };
  const steps = [...licenseSteps(sampleJob({ license }), image.path), ...later];
  const events = await run(name, image, steps, onFailure);
  const notes = events.flatMap((event) => (event.kind === "note" ? [event.text] : []));
  tell(`${name}, notes`, notes.join(" | "));
  const journal = await readFile(journalPath, "utf8");
  tell(`${name}, seen by others`, `${JSON.stringify(events)}${journal}`.includes(key) ? "the key" : "nothing");
  if (onFailure === "clean") return;
  const seen = await image.seen();
  tell(`${name}, asked for`, seen.map(({ command }) => command).join(" "));
  tell(`${name}, files with the key`, (await image.filesWith(key)).length);
  await image[Symbol.asyncDispose]();
}

async function run(name: string, { path }: LicensedImage, steps: Step[], onFailure: OnFailure): Promise<Event[]> {
  const events: Event[] = [];
  const about = { image: "rhel-9@20261123.0", instanceUuid: "11111111-2222-4333-8444-555555555555", hostname: "web-1" };
  const nothing = { firmware: [], disks: [], loaders: [], arrays: [], warnings: [] };
  try {
    for await (const event of execute({ version: 1, ...about, ...nothing, target: path, steps }, { onFailure })) {
      events.push(event);
    }
    tell(name, "no failure");
  } catch (error) {
    tell(name, error instanceof Failure ? `${error.code}, exit ${error.exitCode}` : error);
  }
  return events;
}
