import { asFailure } from "../../common/failure.ts";
import { deleteImage, findImages } from "./images.ts";
import { deleteFloatingIp, deleteServer, findServers } from "./servers.ts";
import type { CloudSession } from "./session.ts";

/** What a build has made in the cloud, as far as it has been told of it. */
export interface CloudTraces {
  /** The build's own: no server or image of anybody else's is called so. */
  name: string;
  /** What its image of the vendor's disk is called. */
  vendorName: string;
  imageIds: ReadonlySet<string>;
  floatingIpIds: ReadonlySet<string>;
}

/**
 * Removes everything that a build has made, whether Packer has come to tell of it or not. One failure does not keep the
 * rest.
 * @returns what could not be removed, each in words
 */
export async function tidyCloud(session: CloudSession, traces: CloudTraces): Promise<string[]> {
  const leftovers: string[] = [];
  const attempt = async (work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      leftovers.push(asFailure(error, "tidying up the cloud").message);
    }
  };
  await attempt(async () => {
    for (const id of await findServers(session, traces.name)) await attempt(() => deleteServer(session, id));
  });
  for (const id of traces.floatingIpIds) await attempt(() => deleteFloatingIp(session, id));
  const imageIds = new Set(traces.imageIds);
  for (const name of [traces.name, traces.vendorName]) {
    await attempt(async () => {
      for (const { id } of await findImages(session, name)) imageIds.add(id);
    });
  }
  for (const id of imageIds) await attempt(() => deleteImage(session, id));
  return leftovers;
}
