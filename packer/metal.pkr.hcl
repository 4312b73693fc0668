# Makes a vendor's cloud image ready for metal.
# The null source and shell-local are built into every Packer: this template needs no plugin.
packer {
  required_version = ">= 1.6.6"
}

# The chroot way: the provisioning scripts run in a fenced chroot on the unpacked tree.
source "null" "chroot" {
  communicator = "none"
}

build {
  name    = "metal"
  sources = ["source.null.chroot"]

  provisioner "shell-local" {
    scripts = [for script in var.scripts : "${path.root}/${script}"]
    environment_vars = [
      "TREE=${var.tree}",
      "APT_SOURCES=${var.apt_sources}",
      "APT_CONFIGURATION=${var.apt_configuration}",
      "ADD_COMPONENTS=${join(" ", var.add_components)}",
      "ADD_PACKAGES=${join(" ", concat(var.family_packages, var.add_packages))}",
      "REMOVE_PACKAGES=${join(" ", var.remove_packages)}",
    ]
    execute_command = [
      "/bin/sh", "-c",
      "{{.Vars}} exec unshare --mount --propagation private --pid --fork --kill-child --ipc --uts /bin/sh '${path.root}/chroot/fence.sh' '{{.Script}}'",
    ]
  }
}
