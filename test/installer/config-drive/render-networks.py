"""Renders networks with cloud-init: [{data | config, macs}] on standard input -> [{renderer: {path: text}}]."""

import json
import sys

from cloud_init_render import render
from cloudinit import util
from cloudinit.sources.helpers.openstack import convert_net_json


def configuration(network):
    if "data" in network:
        return convert_net_json(network["data"], known_macs=network["macs"])
    return util.load_yaml(network["config"])["network"]


json.dump([render(configuration(network)) for network in json.load(sys.stdin)], sys.stdout)
