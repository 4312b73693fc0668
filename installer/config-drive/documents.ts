import type { Instance } from "./instance.ts";
import { networkData } from "./network-data.ts";

/**
 * cloud-init takes the newest version it knows, else `latest` (cloudinit/sources/helpers/openstack.py,
 * `_find_working_version`); other readers ask for `latest` alone.
 */
const versions = ["2018-08-27", "latest"];

const json = (document: unknown) => `${JSON.stringify(document, undefined, 2)}\n`;

/** OpenStack's meta_data.json (nova/api/metadata/base.py); cloud-init needs `uuid` and takes it for the instance id. */
function metaData(instance: Instance, uuid: string) {
  const keys = instance.sshKeys.map((data, index) => ({ name: `key-${index + 1}`, type: "ssh", data }));
  return {
    uuid,
    hostname: instance.hostname,
    name: instance.hostname,
    availability_zone: instance.availabilityZone,
    launch_index: 0,
    project_id: instance.projectId,
    keys,
    public_keys: Object.fromEntries(keys.map(({ name, data }) => [name, data])),
    meta: instance.metadata,
    devices: [],
  };
}

/** cloud-init looks for its own part under `cloud-init` (cloudinit/sources/__init__.py, `convert_vendordata`). */
const vendorData = (text: string | undefined) => (text === undefined ? {} : { "cloud-init": text });

/**
 * The files of a config drive, by path: OpenStack's metadata for one instance.
 *
 * network_data.json is left out where the job says nothing of the network: cloud-init then falls back to DHCP, while an
 * empty document means "no network" to it (cloudinit/stages.py, `_find_networking_config`).
 */
export function configDriveFiles(instance: Instance, uuid: string): Map<string, string> {
  const documents: [name: string, content: string | undefined][] = [
    ["meta_data.json", json(metaData(instance, uuid))],
    ["user_data", instance.userData],
    ["vendor_data.json", json(vendorData(instance.vendorData))],
    ["network_data.json", instance.network && json(networkData(instance.network))],
  ];
  const files = new Map<string, string>();
  for (const version of versions) {
    for (const [name, content] of documents) {
      if (content !== undefined) files.set(`openstack/${version}/${name}`, content);
    }
  }
  return files;
}
