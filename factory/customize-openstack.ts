import { randomUUID } from "node:crypto";
import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { asFailure, Failure } from "../common/failure.ts";
import type { CatalogImage } from "./catalog.ts";
import type { CustomizedDisk } from "./customize-disk.ts";
import { prepareGuest } from "./customize-guest.ts";
import { type CustomizeOptions, runPacker } from "./customize-run.ts";
import type { CloudServer } from "./customize-way.ts";
import { type CloudOptions, readCloud } from "./openstack/cloud.ts";
import { downloadImage, findImages, uploadImage } from "./openstack/images.ts";
import { writePackerEnvironment } from "./openstack/packer-environment.ts";
import { CloudSession } from "./openstack/session.ts";
import { tidyCloud } from "./openstack/tidy.ts";

export interface CustomizeOpenstackOptions extends CustomizeOptions {
  server: CloudServer;
  /** The vendor's file, verified and of the format that it is declared to be. */
  disk: { path: string; format: "raw" | "qcow2" };
  /** The file to make, on the same file system as `scratch`. */
  destination: string;
  /** Where credentials are looked for. Default: OS_* variables and clouds.yaml in its usual places. */
  cloud?: CloudOptions;
  /** Where the server's SSH answers. Default: 22. */
  sshPort?: number;
  /** Called with the bytes that have moved to or from the cloud since the last call. */
  advance?: (bytes: number) => void;
}

/** Packer says it when it has got one (its builder `openstack`, step_allocate_ip.go). */
const floatingIpPattern = /^Created floating IP: '([\w-]+)'/;

/**
 * Uploads the vendor's disk to a cloud, boots a server of it, runs the family's provisioning scripts there and downloads
 * the image that is made of the server. What was made in the cloud is removed again, after a failure as well.
 * @throws Failure `customize-failed` (failed), `cloud-unconfigured` and `cloud-refused` (configuration),
 *   `cloud-hash-mismatch` (integrity), `cloud-unreachable` and `cloud-failed` (retry), `cloud-answer` (failed),
 *   `programs-missing`, `interrupted`; `data.leftovers` has what could not be removed
 */
export async function customizeInCloud(
  image: CatalogImage,
  options: CustomizeOpenstackOptions,
): Promise<CustomizedDisk> {
  const { server, scratch, destination, signal, onText, advance } = options;
  const cloud = await readCloud({ ...options.cloud, ...(server.region && { region: server.region }) });
  const session = await CloudSession.open(cloud, signal);
  const name = `metalcast-${image.name}-${randomUUID()}`;
  const vendorName = `${name}-vendor`;
  const traces = { name, vendorName, imageIds: new Set<string>(), floatingIpIds: new Set<string>() };
  const transfer = { ...(signal && { signal }), ...(advance && { advance }) };

  const work = async (): Promise<CustomizedDisk["format"]> => {
    const vendorFile = { ...options.disk, name: vendorName };
    const source = await uploadImage(session, vendorFile, (id) => traces.imageIds.add(id), transfer);
    const folder = join(scratch, "guest");
    await mkdir(folder, { mode: 0o700 });
    const { apt, rhsm } = options;
    const guest = await prepareGuest({
      user: server.user,
      scratch: folder,
      ...(apt && { apt }),
      ...(rhsm && { rhsm }),
    });
    await runPacker(image, {
      ...options,
      scratch: join(scratch, "packer"),
      way: "openstack",
      env: await writePackerEnvironment(cloud, folder),
      onText: (text) => {
        const address = floatingIpPattern.exec(text)?.[1];
        if (address !== undefined) traces.floatingIpIds.add(address);
        onText(text);
      },
      variables: {
        ...guest.variables,
        name,
        source_image: source.id,
        flavor: server.flavor,
        region: cloud.region ?? "",
        networks: server.networks,
        floating_ip_network: server.floatingIpNetwork ?? "",
        security_groups: server.securityGroups,
        user_data_file: guest.userDataFile,
        ssh_port: options.sshPort ?? 22,
      },
    });
    const [made] = await findImages(session, name, signal);
    if (made === undefined) throw unusable(name, "the cloud has none of this name");
    if (made.disk_format !== "raw" && made.disk_format !== "qcow2") {
      throw unusable(name, `the cloud made it in the format "${made.disk_format}"`);
    }
    const file = join(scratch, "made");
    await downloadImage(session, made, file, transfer);
    await rename(file, destination);
    return made.disk_format;
  };

  // Not under the signal: an interrupted build tidies up as well.
  const outcome = await work().then(
    (format) => ({ format }),
    (error: unknown) => ({ failure: asFailure(error, "customizing the image") }),
  );
  const leftovers = await tidyCloud(session, traces);
  if ("failure" in outcome) throw leftovers.length === 0 ? outcome.failure : withLeftovers(outcome.failure, leftovers);
  return { path: destination, format: outcome.format, leftovers };
}

function unusable(name: string, problem: string): Failure {
  return new Failure({
    code: "cloud-answer",
    kind: "failed",
    message: `fetching the customized image ${name}: ${problem}`,
    hint: "ask the cloud's operator in which format servers' images are made",
  });
}

function withLeftovers({ code, kind, message, data, cause }: Failure, leftovers: readonly string[]): Failure {
  const hint = `remove from the cloud by hand: ${leftovers.join("; ")}`;
  return new Failure({ code, kind, message, hint, data: { ...data, leftovers }, cause });
}
