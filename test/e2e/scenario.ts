import { type Emit, eventSchema, note } from "../../common/event.ts";
import { build, findImage, loadCatalog } from "../../factory/index.ts";
import { type Published, publish, type Store } from "../../mirror/index.ts";
import type { Server } from "../lab/server.ts";
import { buildVendorImage } from "../lab/vendor-image.ts";

/**
 * The way of an image up to the mirror: the vendor's qcow2, the factory, a published version in a store. The factory's
 * result stays in `directory`/image.
 */
export async function castImage(directory: string, store: Store, emit: Emit): Promise<Published> {
  const vendor = await buildVendorImage();
  const built = await build({
    image: findImage(await loadCatalog(), "debian-12"),
    source: vendor.file,
    checksum: `sha512:${vendor.sha512}`,
    output: `${directory}/image`,
    emit,
  });
  return publish(store, built.directory, { emit });
}

export interface InstallationRun {
  /** The job as in a job file; `instance.userData` and `phoneHome.tokenFile` name entries of `files`. */
  job: Record<string, unknown>;
  /** Beside the job file. */
  files?: Record<string, string>;
  /** Services on the host's loopback that the rescue system must reach. */
  hostPorts?: readonly number[];
  /** Directories of the host, by their path in the rescue system. */
  shares?: Record<string, string>;
  /** What comes before `metalcast` on the command line, such as `env NAME=VALUE`. */
  prefix?: readonly string[];
  /** Files outside of the job's directory, by absolute path. */
  rescueFiles?: Record<string, string>;
  /** Run the rescue system in QEMU with this firmware instead of User Mode Linux. */
  qemuFirmware?: "uefi" | "bios";
}

export interface InstallationOutcome {
  exitCode: number | undefined;
  /** What it said besides events: the error and its hint. */
  messages: string[];
}

/** Boots the server's rescue system and runs `metalcast install` there; its events come out here. */
export async function installServer(
  server: Server,
  installation: InstallationRun,
  emit: Emit,
): Promise<InstallationOutcome> {
  const { job, files = {}, hostPorts = [], shares = {}, prefix = [], rescueFiles = {}, qemuFirmware } = installation;
  const messages: string[] = [];
  const rescue = {
    command: [...prefix, "metalcast", "--json", "install", "/root/job/job.json"],
    files: {
      ...rescueFiles,
      "/root/job/job.json": JSON.stringify(job),
      ...Object.fromEntries(Object.entries(files).map(([name, content]) => [`/root/job/${name}`, content])),
    },
    shares,
    timeoutMs: 20 * 60_000,
    onLine: (line: string) => {
      const event = parseEvent(line);
      if (event) return emit(event);
      if (line === "") return;
      messages.push(line);
      note(emit, line);
    },
  };
  const { exitCode } = await (qemuFirmware
    ? server.bootRescue({ ...rescue, firmware: qemuFirmware })
    : server.runRescue({ ...rescue, hostPorts }));
  return { exitCode, messages };
}

function parseEvent(line: string) {
  try {
    return eventSchema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
