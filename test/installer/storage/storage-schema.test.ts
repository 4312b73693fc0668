import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { loadJob } from "../../../installer/job.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "storage-"));
  await writeFile(join(directory, "root.json"), "{}");
});
afterEach(() => rm(directory, { recursive: true }));

async function load(storage: string) {
  const file = join(directory, "job.yaml");
  const fixed =
    "image: debian-12\nmirror: file:///srv/mirror\nmirrorRoot: root.json\ndisks: { count: 2 }\ninstance: { hostname: web-1 }\n";
  await writeFile(file, `${fixed}${storage}`);
  return (await loadJob(file)).storage;
}

const layout = (fields: string) => `storage:
  partitions: [{ name: members, size: rest }]
  filesystems: [{ on: members, type: ext4, mount: / }]
${fields}`;

describe("passphrases and keys come from files and stay hidden", () => {
  test("of a full layout", async () => {
    await writeFile(join(directory, "pass"), "correct horse\n");
    await writeFile(join(directory, "key"), "a2V5\n");
    const luks = "[{ name: secret, on: x, passphraseFile: ./pass }, { name: data, on: y, keyFile: key }]";
    const storage = await load(layout(`  luks: ${luks}\n`));
    expect("luks" in storage && storage.luks.map(({ passphrase, key }) => (passphrase ?? key)?.reveal())).toEqual([
      "correct horse",
      "a2V5\n",
    ]);
    expect(JSON.stringify(storage)).not.toMatch(/horse|a2V5/);
  });

  test("of a preset", async () => {
    await writeFile(join(directory, "pass"), "correct horse\n");
    const storage = await load("storage: { preset: raid1, encrypt: { passphraseFile: pass } }\n");
    expect("encrypt" in storage && storage.encrypt?.passphrase.reveal()).toBe("correct horse");
  });
});

test.each([
  ["no preset of that name", "storage: raid7\n", /storage: /],
  ["nothing", "\n", /storage: /],
  ["a setting that presets do not have", "storage: { preset: raid1, colour: blue }\n", /storage: .*colour/],
  [
    "a passphrase in the job itself",
    "storage: { preset: raid1, encrypt: { passphrase: x } }\n",
    /storage\.encrypt\.passphrase: /,
  ],
  [
    "a size that is none",
    layout("  lvm: [{ name: vg0, on: x, volumes: [{ name: a, size: big }] }]\n"),
    /size: "big" is not a size/,
  ],
  [
    "a percentage that is none",
    layout("  lvm: [{ name: vg0, on: x, volumes: [{ name: a, size: 0% }] }]\n"),
    /size: "0%"/,
  ],
  [
    "a name that /dev has",
    layout("  lvm: [{ name: mapper, on: x, volumes: [{ name: a, size: rest }] }]\n"),
    /lvm\.0\.name: this name is taken/,
  ],
  [
    "a name of ours",
    layout("  luks: [{ name: esp, on: x, keyFile: job.yaml }]\n"),
    /luks\.0\.name: this name is taken/,
  ],
  ["neither passphrase nor key", layout("  luks: [{ name: secret, on: x }]\n"), /luks\.0: expected either/],
  ["a level that is none", layout("  raid: [{ name: a, on: x, level: 2 }]\n"), /raid\.0\.level: /],
  [
    "a chunk that is none",
    layout("  raid: [{ name: a, on: x, level: 5, chunk: 500 KB }]\n"),
    /raid\.0\.chunk: "500 KB"/,
  ],
  [
    "metadata that /boot/efi would not survive",
    layout("  raid: [{ name: a, on: x, level: 1, metadata: '0.90' }]\n"),
    /raid\.0\.metadata: /,
  ],
  [
    "a speed that is none",
    "storage: { preset: raid1, syncSpeed: fast }\n",
    /storage\.syncSpeed: "fast" is not a speed/,
  ],
  ["an ESP that is no choice", "storage: { preset: raid1, esp: raid5 }\n", /storage\.esp: /],
  ["the same in a full layout", layout("  esp: mirror\n"), /storage\.esp: /],
  [
    "a mount point above the target",
    "storage: { partitions: [{ name: a, size: rest }], filesystems: [{ on: a, type: ext4, mount: /srv/../.. }] }\n",
    /filesystems\.0\.mount: expected a path without/,
  ],
  [
    "a mount point of the kernel's",
    "storage: { partitions: [{ name: a, size: rest }], filesystems: [{ on: a, type: ext4, mount: /proc/x }] }\n",
    /filesystems\.0\.mount: nothing of a layout is mounted there/,
  ],
  [
    "options that would be a line of fstab of their own",
    'storage: { partitions: [{ name: a, size: rest }], filesystems: [{ on: a, type: ext4, mount: /, options: "a b" }] }\n',
    /filesystems\.0\.options: expected mount options/,
  ],
])("%s is refused, with its field", async (_name, storage, message) => {
  await expect(load(storage)).rejects.toMatchObject({ code: "job-invalid", message: expect.stringMatching(message) });
});

test("a key that is no text is refused: it would be written as another", async () => {
  await writeFile(join(directory, "key"), Buffer.from([0xff, 0xfe, 0x00, 0x80]));
  await expect(load(layout("  luks: [{ name: secret, on: x, keyFile: key }]\n"))).rejects.toThrow(
    /openssl rand -base64/,
  );
});
