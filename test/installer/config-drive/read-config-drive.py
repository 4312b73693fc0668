"""Shows a config drive as cloud-init sees it: DIRECTORY RENDER_TO [INTERFACE=MAC ...] -> JSON on standard output."""

import json
import os
import sys

from cloudinit.net import eni, netplan, network_state
from cloudinit.sources import DataSourceConfigDrive, convert_vendordata, normalize_pubkey_data
from cloudinit.sources.helpers.openstack import convert_net_json

directory, render_to = sys.argv[1:3]
known_macs = {mac: name for name, mac in (word.split("=") for word in sys.argv[3:])}

drive = DataSourceConfigDrive.read_config_drive(directory)
network = convert_net_json(drive.get("networkdata"), known_macs=known_macs)
rendered = {}
if network:
    state = network_state.parse_net_config_data(network)
    for name, renderer in {
        "netplan": netplan.Renderer({"netplan_path": "netplan.yaml", "postcmds": False}),
        "eni": eni.Renderer({"eni_path": "interfaces", "netrules_path": None}),
    }.items():
        renderer.render_network_state(state, target=render_to)
    for name, file in {"netplan": "netplan.yaml", "eni": "interfaces"}.items():
        with open(os.path.join(render_to, file), encoding="utf-8") as handle:
            rendered[name] = handle.read()

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
        "version": drive["version"],
        "network": network,
        "rendered": rendered,
    },
    sys.stdout,
)
