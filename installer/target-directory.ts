/** Where the target is mounted while it is being installed. What lies beside it begins with the same name and a hyphen. */
export const targetDirectory = "/run/metalcast/target";
