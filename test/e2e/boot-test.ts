import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { renderLines } from "../../common/render.ts";
import { openMirror, publish, readRootFile, resolveImage, type Store } from "../../mirror/index.ts";
import { installServer } from "./scenario.ts";
import { openStage } from "./stage.ts";

/**
 * boot-test.ts STORE REFERENCE   installs a published image on a lab server with two disks, and boots it under both
 * firmwares: to its phone home, then to a login with the first disk pulled. Exit status 0 means that it did.
 * METALCAST_ROOT names the file of the mirror's root.
 */
const [url, reference] = process.argv.slice(2);
if (url === undefined || reference === undefined) throw new Error("usage: boot-test.ts STORE REFERENCE");
const emit = renderLines(process.stderr);
const instance = { hostname: "boot-test", uuid: crypto.randomUUID(), userData: "#cloud-config\n{}\n" };

await using stage = await openStage(emit);
const root = await readRootFile(process.env.METALCAST_ROOT ?? "/etc/metalcast/root.json");
const image = await bringHere(openMirror(url, { root }), reference, join(stage.directory, "image"));
await publish(stage.store, image.directory, { emit });

const server = await stage.makeServer("boot-test");
const job = await stage.makeJob(instance, "file:///srv/mirror", image.reference);
const outcome = await installServer(server, { ...job, shares: { "/srv/mirror": stage.mirror } }, emit);
if (outcome.exitCode !== 0) throw new Error(`the installation ended with ${outcome.exitCode}`);

await (async () => {
  await using booted = await server.boot({ firmware: "bios" });
  const report = await stage.waitForReport(instance, booted);
  if (report.cloudInit !== "done") throw new Error(`it is up, but cloud-init says ${report.cloudInit}`);
  await booted.powerOff(5 * 60_000);
})();
await using degraded = await server.boot({ firmware: "uefi", removedDisks: [0], snapshot: true, forgetEntries: true });
await degraded.sshWhenUp("debian", stage.keyFile, "true", 12 * 60_000);
process.stdout.write(`${image.reference} was installed and booted under BIOS and UEFI\n`);

/** Copies one published version to a directory as the factory would have left it; publishing verifies it. */
async function bringHere(store: Store, wanted: string, directory: string) {
  const { manifest, prefix } = await resolveImage(store, wanted, { arch: "amd64" });
  await mkdir(directory);
  for (const name of [...manifest.files.map(({ path }) => path), "manifest.json", "SHA256SUMS"]) {
    await using file = await open(join(directory, name), "w");
    await file.writeFile(store.read(`${prefix}${name}`));
  }
  return { directory, reference: `${manifest.name}@${manifest.version}` };
}
