import { runDirectory } from "./run-directory.ts";

/** Where the target is mounted while it is being installed. What lies beside it begins with the same name and a hyphen. */
export const targetDirectory = `${runDirectory}/target`;
