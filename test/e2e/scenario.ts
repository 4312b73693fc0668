import { type Emit, type Event, eventSchema, note } from "../../common/event.ts";
import { build, findImage, loadCatalog } from "../../factory/index.ts";
import { type Published, publish, type Store } from "../../mirror/index.ts";
import type { Firmware } from "../lab/hardware.ts";
import { runQuickest } from "../lab/run-quickest.ts";
import type { Server } from "../lab/server.ts";
import { buildVendorImage, type VendorImageKind } from "../lab/vendor-image.ts";
import { buildCachedParts, openStage, type Stage } from "./stage.ts";

/** Which vendor image of the lab's to build, as which image of the catalog. */
export interface Casting extends VendorImageKind {
  name: string;
}

export const debian12 = { name: "debian-12", release: "bookworm", format: "qcow2" } as const satisfies Casting;
export const debian13 = { name: "debian-13", release: "trixie", format: "raw.xz" } as const satisfies Casting;

/**
 * The way of an image up to the mirror: the vendor's file, the factory, a published version in a store. The factory's
 * result stays in `directory`/NAME.
 */
export async function castImage(casting: Casting, directory: string, store: Store, emit: Emit): Promise<Published> {
  const { file, format, checksum } = await buildVendorImage(casting);
  const image = findImage(await loadCatalog(), casting.name);
  const built = await build({ image, source: file, format, checksum, output: `${directory}/${casting.name}`, emit });
  return publish(store, built.directory, { emit });
}

/** A stage with the image in its mirror, a directory. */
export async function openCastStage(casting: Casting): Promise<Stage> {
  await buildCachedParts(casting);
  const stage = await openStage();
  await castImage(casting, stage.directory, stage.store, () => {});
  return stage;
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
  /** The rescue system starts by this firmware. Default: by none to speak of, on whichever machine is quicker here. */
  firmware?: Firmware;
  /** Cuts the power when it fires. */
  signal?: AbortSignal;
  /** The server stands still while the promise, if it gives one for an event, is not settled. Wants `firmware`. */
  holdAt?: (event: Event) => Promise<void> | undefined;
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
  const {
    job,
    files = {},
    hostPorts = [],
    shares = {},
    prefix = [],
    rescueFiles = {},
    firmware,
    signal,
    holdAt,
  } = installation;
  const messages: string[] = [];
  const rescue = {
    command: [...prefix, "metalcast", "--json", "install", "/root/job/job.json"],
    files: {
      ...rescueFiles,
      "/root/job/job.json": JSON.stringify(job),
      ...Object.fromEntries(Object.entries(files).map(([name, content]) => [`/root/job/${name}`, content])),
    },
    shares,
    timeoutMs: 25 * 60_000,
    ...(signal && { signal }),
    ...(holdAt && {
      holdAt: (line: string) => {
        const event = parseEvent(line);
        return event && holdAt(event);
      },
    }),
    onLine: (line: string) => {
      const event = parseEvent(line);
      if (event) return emit(event);
      if (line === "") return;
      messages.push(line);
      note(emit, line);
    },
  };
  const { exitCode } = await (firmware
    ? server.bootRescue({ ...rescue, firmware })
    : runQuickest(server, { ...rescue, hostPorts }));
  return { exitCode, messages };
}

function parseEvent(line: string) {
  try {
    return eventSchema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
