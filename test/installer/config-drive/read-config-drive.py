"""Shows a config drive as cloud-init sees it: DIRECTORY [INTERFACE=MAC ...] -> JSON on standard output."""

import json
import sys

from cloud_init_render import render
from cloudinit.sources import DataSourceConfigDrive, convert_vendordata, normalize_pubkey_data
from cloudinit.sources.helpers.openstack import convert_net_json

known_macs = {mac: name for name, mac in (word.split("=") for word in sys.argv[2:])}

drive = DataSourceConfigDrive.read_config_drive(sys.argv[1])
network = convert_net_json(drive.get("networkdata"), known_macs=known_macs)

metadata = drive["metadata"]
json.dump(
    {
        "instanceId": metadata["instance-id"],
        "hostname": metadata["local-hostname"],
        "publicKeys": normalize_pubkey_data(metadata["public_keys"]),
        "meta": metadata["meta"],
        "availabilityZone": metadata.get("availability_zone"),
        "userData": drive["userdata"].decode() if drive["userdata"] else None,
        "vendorData": convert_vendordata(drive["vendordata"]),
        "vendorData2": convert_vendordata(drive["vendordata2"]),
        "ec2": drive["ec2-metadata"],
        "version": drive["version"],
        "network": network,
        "rendered": render(network) if network else {},
    },
    sys.stdout,
)
