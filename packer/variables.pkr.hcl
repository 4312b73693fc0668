# What every way of customizing takes. README.md says how a way's template is put together.
packer {
  required_version = ">= 1.6.6"
}

variable "scripts" {
  type        = list(string)
  description = "What is run inside, in this order; paths below this folder. Each family's file sets it."
  validation {
    condition     = length(var.scripts) > 0
    error_message = "The scripts must not be empty: take a file of families/."
  }
}

variable "family_packages" {
  type        = list(string)
  description = "What every image of the family gets. Each family's file sets it."
}

variable "add_packages" {
  type        = list(string)
  description = "What this image gets beside them: its hardware kernel, firmware, microcode."
  default     = []
}

variable "add_components" {
  type        = list(string)
  description = "Parts of the distribution's archive that the image's own package sources get."
  default     = []
}

variable "remove_packages" {
  type        = list(string)
  description = "What this image loses; shell patterns."
  default     = []
}

variable "rhsm_organization" {
  type        = string
  description = "The organization of the Red Hat subscription that packages come from; empty without one."
  default     = ""
  validation {
    condition     = regex_replace(var.rhsm_organization, "[A-Za-z0-9_-]+", "") == ""
    error_message = "The organization must be its identifier: letters, digits, - and _."
  }
}

locals {
  script_paths = [for script in var.scripts : "${path.root}/${script}"]
  script_environment = [
    "ADD_COMPONENTS=${join(" ", var.add_components)}",
    "ADD_PACKAGES=${join(" ", concat(var.family_packages, var.add_packages))}",
    "REMOVE_PACKAGES=${join(" ", var.remove_packages)}",
    "RHSM_ORGANIZATION=${var.rhsm_organization}",
  ]
}
