# The plugins of the ways qemu and openstack, which are built into Packer before 1.9: `packer init` reads this file, and
# nothing else does. Packer before 1.7 refuses the block, so it stands apart from the templates.
packer {
  required_plugins {
    openstack = {
      source  = "github.com/hashicorp/openstack"
      version = ">= 1.1.2, < 2.0.0"
    }
    qemu = {
      source  = "github.com/hashicorp/qemu"
      version = ">= 1.1.0, < 2.0.0"
    }
  }
}
