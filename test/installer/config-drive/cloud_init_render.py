"""What cloud-init's renderers make of a network configuration: {renderer: {path: text}}."""

import copy
import os
import shutil
import tempfile

import cloudinit.distros  # noqa: F401  newer versions cannot import their renderers before it
from cloudinit.distros.rhel import Distro as RedHat
from cloudinit.net import eni, netplan, network_manager, network_state, sysconfig

RENDERERS = {
    "netplan": lambda: netplan.Renderer(
        {"netplan_path": "netplan.yaml", "postcmds": False, "features": []}
    ),
    "eni": lambda: eni.Renderer({"eni_path": "interfaces", "netrules_path": None}),
    "sysconfig": lambda: sysconfig.Renderer(RedHat.renderer_configs["sysconfig"]),
    "networkManager": lambda: network_manager.Renderer({}),
}


def render(config):
    # Parsing is slow, and renderers change the state that they are given.
    state = network_state.parse_net_config_data(config)
    rendered = {}
    for name, make in RENDERERS.items():
        directory = tempfile.mkdtemp()
        try:
            make().render_network_state(copy.deepcopy(state), target=directory)
            rendered[name] = read_files(directory)
        finally:
            shutil.rmtree(directory)
    return rendered


def read_files(directory):
    files = {}
    for folder, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as handle:
                files[os.path.relpath(path, directory)] = handle.read()
    return files
