# The qemu way: a virtual machine boots the vendor's disk.
variable "disk" {
  type        = string
  description = "The vendor's disk, raw; its name ends in .raw. Packer works on a copy."
  validation {
    condition     = substr(var.disk, 0, 1) == "/" && length(regex_replace(var.disk, "[.]raw$", "")) < length(var.disk)
    error_message = "The disk must be the absolute path of a file whose name ends in .raw."
  }
}

variable "output_directory" {
  type        = string
  description = "A folder that Packer makes: the customized disk is in it, as disk.raw."
}

variable "disk_size" {
  type        = string
  description = "What the disk is enlarged to, in bytes and with the letter b: 12884901888b."
  validation {
    condition     = length(var.disk_size) > 1 && regex_replace(var.disk_size, "[0-9]+b", "") == ""
    error_message = "The disk size must be a number of bytes and the letter b."
  }
}

variable "seed" {
  type        = string
  description = "A folder with user-data, meta-data and vendor-data for cloud-init."
}

variable "accelerator" {
  type        = string
  description = "What runs the guest's instructions: kvm, or tcg where that does not work."
  validation {
    condition     = contains(["kvm", "tcg"], var.accelerator)
    error_message = "The accelerator must be kvm or tcg."
  }
}

variable "firmware_code" {
  type        = string
  description = "UEFI's code, for a disk that does not boot under BIOS; empty for BIOS."
  default     = ""
}

variable "firmware_variables" {
  type        = string
  description = "A copy, for this build, of UEFI's empty variables; empty for BIOS."
  default     = ""
}

variable "memory_mib" {
  type        = number
  description = "The guest's memory in MiB."
  default     = 2048
  validation {
    condition     = var.memory_mib >= 512
    error_message = "The memory must be at least 512 MiB."
  }
}

variable "console_log" {
  type        = string
  description = "A file for what the guest writes to its serial console."
}

variable "ssh_timeout" {
  type        = string
  description = "How long the guest may take to boot."
  default     = "15m"
}

locals {
  drives = concat(
    var.firmware_code == "" ? [] : [
      ["-drive", "if=pflash,unit=0,format=raw,readonly=on,file=${var.firmware_code}"],
      ["-drive", "if=pflash,unit=1,format=raw,file=${var.firmware_variables}"],
    ],
    [["-drive", "if=virtio,format=raw,discard=unmap,detect-zeroes=unmap,cache=unsafe,file={{ .OutputDir }}/{{ .Name }}"]],
  )
}

source "qemu" "guest" {
  # Where the name ends in the format, Packer copies the file as it is: no format is detected.
  disk_image       = true
  iso_url          = var.disk
  iso_checksum     = "none"
  format           = "raw"
  disk_size        = var.disk_size
  output_directory = var.output_directory
  vm_name          = "disk.raw"

  accelerator  = var.accelerator
  machine_type = "pc"
  # Emulated, two processors can run an instruction that the guest's kernel is rewriting: it panics, now and then.
  cpus        = var.accelerator == "kvm" ? 2 : 1
  memory      = var.memory_mib
  headless    = true
  disable_vnc = true

  http_directory    = var.seed
  http_bind_address = "127.0.0.1"
  qemuargs = concat(local.drives, [
    ["-cpu", var.accelerator == "kvm" ? "host" : "max"],
    ["-vnc", "none"],
    # The guest is foreign code: should it get out, it starts nothing and gains nothing.
    ["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
    ["-serial", "file:${var.console_log}"],
    ["-device", "virtio-rng-pci"],
    ["-device", "virtio-net,netdev=user.0"],
    ["-netdev", "user,id=user.0,hostfwd=tcp:127.0.0.1:{{ .SSHHostPort }}-:22"],
    ["-smbios", "type=1,serial=ds=nocloud-net;s=http://{{ .HTTPIP }}:{{ .HTTPPort }}/"],
  ])

  communicator                 = "ssh"
  ssh_username                 = var.user
  ssh_private_key_file         = var.private_key_file
  ssh_file_transfer_method     = "sftp"
  ssh_timeout                  = var.ssh_timeout
  ssh_handshake_attempts       = 1000
  ssh_disable_agent_forwarding = true
  shutdown_command             = local.leave_command
}

build {
  name    = "metal"
  sources = ["source.qemu.guest"]

  provisioner "shell" {
    script           = "${path.root}/guest/arrive.sh"
    environment_vars = ["GUEST_USER=${var.user}"]
    execute_command  = local.execute_command
  }
  provisioner "file" {
    source      = "${var.settings}/"
    destination = "/run/metalcast"
  }
  provisioner "file" {
    sources     = ["${path.root}/guest/leave.sh", "${path.root}/scripts/seal.sh"]
    destination = "/run/metalcast/"
  }
  provisioner "shell" {
    scripts          = local.script_paths
    environment_vars = local.script_environment
    execute_command  = local.execute_command
  }
}
