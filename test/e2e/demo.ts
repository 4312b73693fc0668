import { reportStep } from "../../common/event.ts";
import { renderLines, renderTerminal } from "../../common/render.ts";
import { formatTable } from "../../common/table.ts";
import { formatDuration } from "../../common/units.ts";
import { castImage, debian12, installServer } from "./scenario.ts";
import { buildCachedParts, openStage } from "./stage.ts";

/**
 * The whole way, for real: a vendor's cloud image becomes a booted server with two disks that phones home. The vendor
 * image and the rescue system are made from Debian's packages, once; all else is done anew each time.
 */
const startedAt = performance.now();
const emit = process.stderr.isTTY ? renderTerminal(process.stderr) : renderLines(process.stderr);
const instance = {
  hostname: "web-1",
  uuid: crypto.randomUUID(),
  userData: '#cloud-config\nwrite_files:\n- { path: /etc/motd, content: "cast by metalcast\\n" }\n',
};

const preparing = { step: "prepare", title: "make a Debian 12 cloud image and a rescue system from packages (once)" };
await reportStep(emit, preparing, () => buildCachedParts(debian12, emit));
await using stage = await openStage(emit);
const image = await castImage(debian12, stage.directory, stage.store, emit);

const server = await stage.makeServer("web-1");
const job = await stage.makeJob(instance, "file:///srv/mirror");
const { exitCode } = await installServer(server, { ...job, shares: { "/srv/mirror": stage.mirror } }, emit);
if (exitCode !== 0) throw new Error(`the installation ended with ${exitCode}; what it said is above`);

const booting = { step: "boot", title: "boot the server from its own disks with UEFI firmware" };
const [report, said] = await reportStep(emit, booting, async () => {
  await using booted = await server.boot({ firmware: "uefi" });
  const reported = await stage.waitForReport(instance, booted);
  const look = "hostname; cat /etc/motd; findmnt -no SOURCE,FSTYPE /; grep -A1 ^md /proc/mdstat";
  const { stdout } = await booted.ssh("debian", stage.keyFile, look);
  return [reported, stdout] as const;
});

if (report.cloudInit !== "done") throw new Error(`the server is up, but cloud-init says ${report.cloudInit}`);
const facts = [
  ["image", `${image.name}@${image.version}`],
  ["server", `${report.hostname} (${report.instanceId})`],
  ["cloud-init", report.cloudInit],
  ["host keys", report.sshHostKeys.join(" ")],
  ["phoned home", `${Math.round(report.bootSeconds)} s after its kernel started`],
  ["took", formatDuration(performance.now() - startedAt)],
];
process.stdout.write(`\n${formatTable(["The server is up", ""], facts)}\n\nBy SSH it says:\n${said}\n`);
