variable "tree" {
  type        = string
  description = "The vendor's root file system, mounted, for the chroot way."
  validation {
    condition     = length(var.tree) > 1 && substr(var.tree, 0, 1) == "/"
    error_message = "The tree must be an absolute path other than the root directory."
  }
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
