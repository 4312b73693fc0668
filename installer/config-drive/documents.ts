import { Secret } from "../../common/secret.ts";
import type { Instance } from "./instance.ts";
import { hasBridges } from "./interface-name.ts";
import { networkData } from "./network-data.ts";

/**
 * Every version of the tree that cloud-init knows (cloudinit/sources/helpers/openstack.py, `OS_VERSIONS`): it takes the
 * newest of them that it finds, and `latest` where it finds none. Other readers ask for `latest` alone.
 */
const versions = [
  "2012-08-10",
  "2013-04-04",
  "2013-10-17",
  "2015-10-15",
  "2016-06-30",
  "2016-10-06",
  "2017-02-22",
  "2018-08-27",
  "latest",
];

const json = (document: unknown) => `${JSON.stringify(document, undefined, 2)}\n`;

/**
 * OpenStack's meta_data.json (nova/api/metadata/base.py); cloud-init needs `uuid` and takes it for the instance id.
 * There is no `random_seed`: the same job gives the same config drive, and a seed that can be foreseen is none.
 */
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

/** The same for readers of EC2's tree. Of it, cloud-init itself reads `block-device-mapping`, which a server has none of. */
function ec2MetaData(instance: Instance, uuid: string) {
  return {
    "instance-id": uuid,
    hostname: instance.hostname,
    "local-hostname": instance.hostname,
    "public-keys": Object.fromEntries(instance.sshKeys.map((key, index) => [index, { "openssh-key": key }])),
    placement: { "availability-zone": instance.availabilityZone },
    "block-device-mapping": {},
  };
}

/** cloud-init looks for its own part under `cloud-init` (cloudinit/sources/__init__.py, `convert_vendordata`). */
const vendorData = (text: string | undefined) => (text === undefined ? {} : { "cloud-init": text });

/**
 * network_data.json is left out where the job says nothing of the network: cloud-init then falls back to DHCP, while an
 * empty document means "no network" to it (cloudinit/stages.py, `_find_networking_config`). A network with bridges has
 * another way (`networkConfigFiles`).
 */
function networkDocument({ network }: Instance): string | undefined {
  return network && !hasBridges(network) ? json(networkData(network)) : undefined;
}

/**
 * The files of a config drive, by path: OpenStack's metadata for one instance, in every version of the tree, since a
 * version is where the reader looks, not what it gets.
 */
export function configDriveFiles(instance: Instance, uuid: string): Map<string, string> {
  const documents: [name: string, content: string | undefined][] = [
    ["meta_data.json", json(metaData(instance, uuid))],
    ["user_data", instance.userData],
    ["vendor_data.json", json(vendorData(instance.vendorData))],
    ["vendor_data2.json", json({})],
    ["network_data.json", networkDocument(instance)],
  ];
  const files = new Map<string, string>();
  for (const version of versions) {
    for (const [name, content] of documents) {
      if (content !== undefined) files.set(`openstack/${version}/${name}`, content);
    }
  }
  return files.set("ec2/latest/meta-data.json", json(ec2MetaData(instance, uuid)));
}

/** User and vendor data often carry passwords: they are hidden in a plan. */
export function hideData(files: ReadonlyMap<string, string>): { path: string; content: string | Secret }[] {
  return [...files].map(([path, content]) => ({
    path,
    content: /\/(user_data|vendor_data\.json)$/.test(path) ? new Secret(content) : content,
  }));
}
