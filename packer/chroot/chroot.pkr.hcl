# The chroot way: the scripts run in a fenced chroot on the unpacked tree.
# The null source and shell-local are built into every Packer: this way needs no plugin.
variable "tree" {
  type        = string
  description = "The vendor's root file system, mounted."
  validation {
    condition     = length(var.tree) > 1 && substr(var.tree, 0, 1) == "/"
    error_message = "The tree must be an absolute path other than the root directory."
  }
}

variable "apt_sources" {
  type        = string
  description = "A file (.list or .sources) that apt uses in place of the image's own during the build only."
  default     = ""
}

variable "apt_configuration" {
  type        = string
  description = "A file of apt.conf(5), such as a proxy, that counts during the build only."
  default     = ""
}

variable "activation_key_file" {
  type        = string
  description = "A file with the activation key of the Red Hat subscription; empty without one."
  default     = ""
}

source "null" "chroot" {
  communicator = "none"
}

build {
  name    = "metal"
  sources = ["source.null.chroot"]

  provisioner "shell-local" {
    scripts = local.script_paths
    environment_vars = concat(local.script_environment, [
      "TREE=${var.tree}",
      "APT_SOURCES=${var.apt_sources}",
      "APT_CONFIGURATION=${var.apt_configuration}",
      "ACTIVATION_KEY_FILE=${var.activation_key_file}",
    ])
    # The paths are arguments, not a part of the shell's text: they may have an apostrophe.
    execute_command = [
      "/bin/sh", "-c",
      "{{.Vars}} exec unshare --mount --propagation private --pid --fork --kill-child --ipc --uts /bin/sh \"$0\" \"$1\"",
      "${path.root}/chroot/fence.sh", "{{.Script}}",
    ]
  }
}
