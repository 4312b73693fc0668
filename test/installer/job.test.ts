import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadJob } from "../../installer/job.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "job-"));
  await writeFile(join(directory, "root.json"), "{}");
});
afterEach(() => rm(directory, { recursive: true }));

async function load(text: string) {
  const file = join(directory, "job.yaml");
  await writeFile(file, text);
  return loadJob(file);
}

const minimal = `
image: debian-12
mirror: file:///srv/mirror
mirrorRoot: root.json
disks: { count: 2, match: { size: ">= 400 GB" } }
storage: raid1
`;

test("paths are read relative to the job file, and the token stays hidden", async () => {
  await writeFile(join(directory, "user-data"), "#cloud-config\n");
  await writeFile(join(directory, "token"), "s3cret-token\n");
  const job = await load(`${minimal}
instance: { hostname: web-1, userData: ./user-data }
phoneHome: { url: "http://192.0.2.1/phone-home", tokenFile: ./token }
`);
  expect(job.instance.userData).toBe("#cloud-config\n");
  expect(job.phoneHome?.token.reveal()).toBe("s3cret-token");
  expect(JSON.stringify(job)).not.toContain("s3cret");
  expect(job.disks).toEqual({ system: { count: 2, match: { size: [{ operator: ">=", values: [400e9] }] } } });
});

test("every wrong field is told at once, with its path", async () => {
  const failure = load(`
image: "Debian 12!"
mirror: file:///srv/mirror
mirrorRoot: root.json
disks: { count: 0, match: { size: "big" } }
storage: raid7
instance: { hostname: "-web-", sshKeys: ["nonsense"] }
colour: blue
`);
  await expect(failure).rejects.toMatchObject({ code: "job-invalid", kind: "configuration" });
  const message = await failure.then(String, String);
  for (const field of [
    "image:",
    "disks.count:",
    "disks.match.size:",
    "storage:",
    "instance.hostname:",
    "instance.sshKeys.0:",
    "colour",
  ]) {
    expect(message).toContain(field);
  }
});

test.each([
  ["{ count: 0, match: { size: big } }", ["disks.count:", 'disks.match.size: "big" is not a size']],
  ["{ match: { size: 60 } }", ["disks.count:", "disks.match.size: 60 is read as a number"]],
  ["{ count: 1, match: { serial: [A, '!= B'] } }", ["disks.match.serial: in a list"]],
  [
    "{ system: { count: 0 }, backup: { count: 1, match: { model: ['>= A'] } } }",
    ["disks.system.count:", "disks.backup.match.model.0:"],
  ],
  ["{ backup: { count: 1 } }", ['disks: expected a count, or groups of which one is "system"']],
  ["{ system: { count: 1 }, Back_up: { count: 1 } }", ["disks.Back_up: expected a group's name"]],
  ["{ count: 1, colour: blue }", ['disks: Unrecognized key: "colour"']],
])("disks that are wrong are told of in the form that was meant: %s", async (disks, problems) => {
  const text = `image: debian-12\nmirror: file:///m\nmirrorRoot: root.json\nstorage: single\ninstance: { hostname: a }\ndisks: ${disks}\n`;
  await expect(load(text)).rejects.toMatchObject({
    data: { problems: problems.map((problem) => expect.stringContaining(problem)) },
  });
});

test.each([
  ["a file that is not there", "instance: { hostname: web-1, userData: ./missing }", "job-unreadable"],
  ["text that is not YAML", "instance: { hostname: [", "job-invalid"],
  ["no instance", "", "job-invalid"],
])("%s", async (_name, text, code) => {
  await expect(load(minimal + text)).rejects.toMatchObject({ code, kind: "configuration" });
});
