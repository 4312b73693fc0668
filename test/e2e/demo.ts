import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { reportStep } from "../../common/event.ts";
import { renderLines, renderTerminal } from "../../common/render.ts";
import { Secret } from "../../common/secret.ts";
import { formatTable } from "../../common/table.ts";
import { formatDuration } from "../../common/units.ts";
import { createPhoneHomeService } from "../../installer/phone-home/service.ts";
import { openStore } from "../../mirror/index.ts";
import { buildRescueSystem } from "../lab/rescue-system.ts";
import { createServer } from "../lab/server.ts";
import { buildVendorImage } from "../lab/vendor-image.ts";
import { castImage, installServer, makeOperator, twoDisks } from "./scenario.ts";

/**
 * The whole way, for real: a vendor's cloud image becomes a booted server with two disks that phones home. The vendor image and the rescue system are made
 * from Debian's packages, once; all else is done anew each time.
 */
const startedAt = performance.now();
const emit = process.stderr.isTTY ? renderTerminal(process.stderr) : renderLines(process.stderr);
const directory = await mkdtemp(join(tmpdir(), "metalcast-demo-"));
const instanceUuid = crypto.randomUUID();
const mirror = `${directory}/mirror`;

try {
  await Promise.all([
    reportStep(emit, { step: "vendor-image", title: "make a Debian 12 cloud image as the vendor does (cached)" }, () =>
      buildVendorImage(),
    ),
    reportStep(emit, { step: "rescue-system", title: "make a rescue system (cached)" }, () => buildRescueSystem()),
  ]);
  await mkdir(mirror);
  const image = await castImage(directory, openStore(`file://${mirror}`), emit);

  const operator = await makeOperator(directory);
  const phoneHome = await createPhoneHomeService({ stateFile: `${directory}/servers.json`, emit });
  const token = new Secret(await phoneHome.expect(instanceUuid));
  const service = await phoneHome.serve({ host: "127.0.0.1", port: 0 });
  await using server = await createServer({
    name: "web-1",
    directory: `${directory}/web-1`,
    disks: twoDisks,
    memoryMiB: 2048,
  });

  const { exitCode } = await installServer(
    server,
    {
      job: {
        image: "debian-12",
        mirror: "file:///srv/mirror",
        disks: { count: 2 },
        storage: "raid1",
        instance: { hostname: "web-1", uuid: instanceUuid, sshKeys: [operator.publicKey], userData: "user-data" },
        phoneHome: { url: `http://10.0.2.2:${new URL(service.url).port}/phone-home`, tokenFile: "token" },
        kernelArguments: ["console=tty0", "console=ttyS0,115200"],
        after: "nothing",
      },
      files: {
        token: token.reveal(),
        "user-data": "#cloud-config\nwrite_files:\n- { path: /etc/motd, content: 'cast by metalcast\\n' }\n",
      },
      shares: { "/srv/mirror": mirror },
    },
    emit,
  );
  if (exitCode !== 0) throw new Error(`the installation ended with ${exitCode}; its log is above`);

  const [report, login] = await reportStep(
    emit,
    { step: "boot", title: "boot the server from its own disks with UEFI firmware" },
    async () => {
      await using booted = await server.boot({ firmware: "uefi" });
      const reported = await phoneHome.waitFor(instanceUuid, { timeoutMs: 8 * 60_000 });
      const { stdout } = await booted.ssh(
        "debian",
        operator.keyFile,
        "hostname; cat /etc/motd; findmnt -no SOURCE /; grep -A1 ^md /proc/mdstat",
      );
      await booted.powerOff(60_000);
      return [reported, stdout] as const;
    },
  );
  await service.close();

  const facts = [
    ["image", `${image.name}@${image.version}`],
    ["server", `${report.hostname} (${report.instanceId})`],
    ["cloud-init", report.cloudInit],
    ["host keys", report.sshHostKeys.join("\n            ")],
    ["phoned home", `${Math.round(report.bootSeconds)} s after its kernel started`],
    ["took", formatDuration(performance.now() - startedAt)],
  ];
  process.stdout.write(`\n${formatTable(["The server is up", ""], facts)}\n\nand by SSH it says:\n${login}\n`);
} finally {
  await rm(directory, { recursive: true, force: true });
}
