import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import type { Cloud } from "./cloud.ts";

/**
 * Hands Packer the same cloud and the same credentials as we use, whatever they were read from: by a clouds.yaml of its
 * own, which only we may read. (Packer 1.6.6 reads no `cacert` from it, and no application credential's user.)
 * @param folder one that nobody else may read, and that is removed after the build
 * @returns the variables to set for Packer
 */
export async function writePackerEnvironment(cloud: Cloud, folder: string): Promise<Record<string, string>> {
  const auth = [...cloud.credentials].map(([name, value]) => [name, value.reveal()]);
  const entry = {
    identity_api_version: "3",
    interface: cloud.interface,
    ...(cloud.region === undefined ? {} : { region_name: cloud.region }),
    auth: { auth_url: `${cloud.identityUrl}/`, ...Object.fromEntries(auth) },
  };
  const file = join(folder, "clouds.yaml");
  await writeFile(file, stringify({ clouds: { metalcast: entry } }), { mode: 0o600 });
  return {
    OS_CLIENT_CONFIG_FILE: file,
    OS_CLOUD: "metalcast",
    ...(cloud.certificateFile === undefined ? {} : { OS_CACERT: cloud.certificateFile }),
  };
}
