# What the ways that boot the vendor's disk have in common: how to get in, and how a script is run there.
variable "user" {
  type        = string
  description = "Who Packer logs in as. The image gets this user's key by its user data, and loses it in the end."
  default     = "root"
  validation {
    condition     = length(var.user) > 0 && regex_replace(var.user, "[a-z_][a-z0-9_-]*", "") == ""
    error_message = "The user must be a name of lower-case letters, digits, - and _, with no digit first."
  }
}

variable "private_key_file" {
  type        = string
  description = "The private SSH key that was made for this build."
  validation {
    condition     = length(var.private_key_file) > 0
    error_message = "The private key file must not be empty."
  }
}

variable "settings" {
  type        = string
  description = "A folder whose contents are put into /run/metalcast of the guest: apt.conf, sources/, secrets/."
  validation {
    condition     = length(var.settings) > 1 && substr(var.settings, 0, 1) == "/"
    error_message = "The settings must be the absolute path of a folder."
  }
}

locals {
  # The same environment as inside the fence of the chroot way.
  environment     = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive APT_CONFIG=/run/metalcast/apt.conf"
  run_as_root     = "${var.user == "root" ? "" : "sudo "}env -i ${local.environment}"
  execute_command = "${local.run_as_root} {{ .Vars }} /bin/sh -eu '{{ .Path }}' </dev/null"
  leave_command   = "${local.run_as_root} GUEST_USER=${var.user} /bin/sh -eu /run/metalcast/leave.sh"
}
