import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Emit, note } from "../../common/event.ts";
import { run } from "../../common/run.ts";
import { createPhoneHomeService } from "../../installer/phone-home/service.ts";
import { openStore, type Store } from "../../mirror/index.ts";
import { steadyAddresses } from "../lab/qemu.ts";
import { buildRescueSystem } from "../lab/rescue-system.ts";
import { createServer, type DiskOptions, type Server } from "../lab/server.ts";
import { buildVendorImage, type VendorImageKind } from "../lab/vendor-image.ts";
import { newMirror } from "../mirror/trust/new-mirror.ts";

const gibibyte = 2 ** 30;

/** Two equal, blank disks. */
export const twoDisks = ["LAB0", "LAB1"].map((serial) => ({ serial, sizeBytes: 4 * gibibyte }));

/** What the instance of a job is to be; its user data is text. */
interface StageInstance {
  hostname: string;
  uuid: string;
  userData: string;
}

/**
 * All that stands around the servers of a test or of the demo: a directory, an operator with an SSH key, the service
 * that waits for phone homes.
 */
export interface Stage extends AsyncDisposable {
  directory: string;
  /** A directory for a `file://` store: a mirror, empty at first. */
  mirror: string;
  /** It, to publish to. */
  store: Store;
  /** Makes another store the mirror whose root the jobs from now on have. */
  makeMirror(store: Store): Promise<Store>;
  keyFile: string;
  /** Default: two equal, blank disks. */
  makeServer(name: string, disks?: readonly DiskOptions[]): Promise<Server>;
  /** A job for two disks as RAID1, and the files beside it. Default image: `debian-12`. */
  makeJob(
    instance: StageInstance,
    mirror: string,
    image?: string,
  ): Promise<{ job: Record<string, unknown>; files: Record<string, string> }>;
  /** Waits for the server's report, or for its end. */
  waitForReport(
    instance: StageInstance,
    booted: { exit: Promise<unknown> },
  ): ReturnType<Awaited<ReturnType<typeof createPhoneHomeService>>["waitFor"]>;
}

/** Slow to build, the same for all, and kept: the vendor image and the rescue system, side by side. */
export async function buildCachedParts(vendor: VendorImageKind, emit: Emit = () => {}): Promise<void> {
  // mmdebstrap's own account of its progress; what dpkg says besides is for nobody.
  const follow = (name: string) => (line: string) => line.startsWith("I: ") && note(emit, `${name}: ${line.slice(3)}`);
  await Promise.all([buildVendorImage(vendor, follow("vendor image")), buildRescueSystem(follow("rescue system"))]);
}

export async function openStage(emit: Emit = () => {}): Promise<Stage> {
  const directory = await mkdtemp(join(tmpdir(), "lab-"));
  const mirror = `${directory}/mirror`;
  await mkdir(mirror);
  const keyFile = `${directory}/operator-key`;
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "operator", "-f", keyFile], {
    doing: "making an SSH key",
  });
  const publicKey = (await readFile(`${keyFile}.pub`, "utf8")).trim();
  const phoneHome = await createPhoneHomeService({ stateFile: `${directory}/servers.json`, emit });
  const service = await phoneHome.serve({ host: "127.0.0.1", port: 0 });
  const servers: Server[] = [];
  let mirrorRoot = "";
  const makeMirror = async (store: Store) => {
    const made = await newMirror(store, { directory });
    mirrorRoot = made.root;
    return made.mirror;
  };
  return {
    directory,
    mirror,
    store: await makeMirror(openStore(`file://${mirror}`)),
    makeMirror,
    keyFile,
    async makeServer(name, disks = twoDisks) {
      const server = await createServer({ name, directory: `${directory}/${name}`, disks, memoryMiB: 2048 });
      servers.push(server);
      return server;
    },
    async makeJob({ hostname, uuid, userData }, store, image = "debian-12") {
      const job = {
        image,
        mirror: store,
        mirrorRoot: "mirror-root.json",
        disks: { count: 2 },
        storage: "raid1",
        instance: { hostname, uuid, sshKeys: [publicKey], userData: "user-data" },
        phoneHome: { url: `http://10.0.2.2:${new URL(service.url).port}/phone-home`, tokenFile: "token" },
        kernelArguments: ["console=tty0", "console=ttyS0,115200", steadyAddresses],
        after: "nothing",
      };
      const token = await phoneHome.expect(uuid);
      return { job, files: { "user-data": userData, "mirror-root.json": mirrorRoot, token } };
    },
    waitForReport({ uuid }, booted) {
      const off = booted.exit.then(() => Promise.reject(new Error("the server went off before it phoned home")));
      return Promise.race([phoneHome.waitFor(uuid, { timeoutMs: 20 * 60_000 }), off]);
    },
    async [Symbol.asyncDispose]() {
      for (const server of servers) await server[Symbol.asyncDispose]();
      await service.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
