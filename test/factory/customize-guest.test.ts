import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { run } from "../../common/run.ts";
import { prepareGuest } from "../../factory/customize-guest.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp("/var/tmp/guest-");
});
afterAll(() => rm(folder, { recursive: true }));

test("a guest gets the public half of the build's own key", async () => {
  const scratch = await mkdtemp(join(folder, "a-"));
  const guest = await prepareGuest({ user: "root", scratch });
  const userData = parse(await readFile(guest.userDataFile, "utf8"));
  expect(userData).toMatchObject({ disable_root: false, users: [], cloud_final_modules: [] });
  const [publicKey] = userData.ssh_authorized_keys;
  await writeFile(join(scratch, "key.pub"), publicKey);
  const { stdout } = await run("ssh-keygen", ["-l", "-f", join(scratch, "key.pub")], { doing: "reading a key" });
  expect(stdout).toMatch(/^256 SHA256:\S+ metalcast \(ED25519\)$/);
  expect((await stat(guest.variables.private_key_file)).mode & 0o777).toBe(0o600);
  const other = await prepareGuest({ user: "root", scratch: await mkdtemp(join(folder, "b-")) });
  expect(await readFile(other.userDataFile, "utf8")).not.toContain(publicKey);
});

test("another user than root is made, who may become root", async () => {
  const guest = await prepareGuest({ user: "build", scratch: await mkdtemp(join(folder, "c-")) });
  const { users } = parse(await readFile(guest.userDataFile, "utf8"));
  expect(users).toMatchObject([{ name: "build", sudo: "ALL=(ALL) NOPASSWD:ALL" }]);
});

test("the settings hold what apt uses, and the activation key for nobody else to read", async () => {
  for (const [name, content] of [
    ["mine.list", "deb x"],
    ["apt.conf", "A::B;"],
    ["key", "secret\n"],
  ] as const) {
    await writeFile(join(folder, name), content, { mode: 0o644 });
  }
  const guest = await prepareGuest({
    user: "root",
    scratch: await mkdtemp(join(folder, "d-")),
    apt: { sources: join(folder, "mine.list"), configuration: join(folder, "apt.conf") },
    rhsm: { organization: "1", activationKeyFile: join(folder, "key") },
  });
  const { settings } = guest.variables;
  expect(await readFile(join(settings, "apt.conf"), "utf8")).toMatch(
    /SourceParts "\/run\/metalcast\/sources";\nA::B;$/,
  );
  expect(await readdir(join(settings, "sources"))).toEqual(["mine.list"]);
  const key = join(settings, "secrets/activation-key");
  expect(await readFile(key, "utf8")).toBe("secret\n");
  expect([(await stat(key)).mode & 0o777, (await stat(join(settings, "secrets"))).mode & 0o777]).toEqual([
    0o600, 0o700,
  ]);
});
