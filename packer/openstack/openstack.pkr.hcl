# The openstack way: a server in a cloud boots the vendor's disk, which the factory has uploaded as an image.
# Who may do this is known from clouds.yaml or OS_* variables: no variable here holds a secret.
variable "source_image" {
  type        = string
  description = "The image's identifier in the cloud."
  validation {
    condition     = length(var.source_image) == 36 && regex_replace(var.source_image, "[0-9a-f-]+", "") == ""
    error_message = "The source image must be a UUID."
  }
}

variable "name" {
  type        = string
  description = "What the server and the image that is made of it are called: no other in the cloud is called so."
  validation {
    condition     = length(var.name) > 0 && regex_replace(var.name, "[a-z0-9.-]+", "") == ""
    error_message = "The name must be of lower-case letters, digits, . and -."
  }
}

variable "flavor" {
  type        = string
  description = "The size of the server: the flavor's name or identifier."
  validation {
    condition     = length(var.flavor) > 0 && regex_replace(var.flavor, "[A-Za-z0-9 ._-]+", "") == ""
    error_message = "The flavor must be a name or identifier: letters, digits, blanks, ., _ and -."
  }
}

variable "region" {
  type        = string
  description = "The cloud's region; empty: as clouds.yaml or OS_REGION_NAME say."
  default     = ""
  validation {
    condition     = regex_replace(var.region, "[A-Za-z0-9._-]+", "") == ""
    error_message = "The region must be a name of letters, digits, ., _ and -."
  }
}

variable "networks" {
  type        = list(string)
  description = "Identifiers of the networks that the server is connected to; none: the cloud decides."
  default     = []
  validation {
    condition     = regex_replace(join("", var.networks), "[0-9a-f-]+", "") == ""
    error_message = "Each network must be a UUID."
  }
}

variable "floating_ip_network" {
  type        = string
  description = "Name or identifier of the network that a floating address for the build is taken from; empty: none."
  default     = ""
  validation {
    condition     = regex_replace(var.floating_ip_network, "[A-Za-z0-9 ._-]+", "") == ""
    error_message = "The floating ip network must be a name or identifier: letters, digits, blanks, ., _ and -."
  }
}

variable "security_groups" {
  type        = list(string)
  description = "Names of security groups that let SSH in; none: the project's default."
  default     = []
}

variable "user_data_file" {
  type        = string
  description = "User data for cloud-init."
}

variable "ssh_port" {
  type        = number
  description = "Where the server's SSH answers."
  default     = 22
}

variable "ssh_timeout" {
  type        = string
  description = "How long the server may take to boot."
  default     = "15m"
}

source "openstack" "guest" {
  region              = var.region
  source_image        = var.source_image
  flavor              = var.flavor
  instance_name       = var.name
  image_name          = var.name
  networks            = var.networks
  floating_ip_network = var.floating_ip_network
  security_groups     = var.security_groups
  user_data_file      = var.user_data_file
  config_drive        = true

  communicator                 = "ssh"
  ssh_username                 = var.user
  ssh_private_key_file         = var.private_key_file
  ssh_port                     = var.ssh_port
  ssh_file_transfer_method     = "sftp"
  ssh_timeout                  = var.ssh_timeout
  ssh_handshake_attempts       = 1000
  ssh_disable_agent_forwarding = true
}

build {
  name    = "metal"
  sources = ["source.openstack.guest"]

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
    sources     = ["${path.root}/scripts/seal.sh"]
    destination = "/run/metalcast/"
  }
  provisioner "shell" {
    scripts          = local.script_paths
    environment_vars = local.script_environment
    execute_command  = local.execute_command
  }
  # The guest switches itself off: the cloud would have its services stopped first, which write their state.
  provisioner "shell" {
    script            = "${path.root}/guest/leave.sh"
    environment_vars  = ["GUEST_USER=${var.user}"]
    execute_command   = local.execute_command
    expect_disconnect = true
    skip_clean        = true
  }
}
