/**
 * All that a root file system can carry, for GNU tar on both sides: owners by number, ACLs, capabilities and other
 * extended attributes, SELinux labels.
 */
export const keepEverything = ["--numeric-owner", "--acls", "--selinux", "--xattrs", "--xattrs-include=*"] as const;
