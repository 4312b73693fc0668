/** Where disks are unpacked that nothing else says a place for. */
export function workFolder(): string {
  return process.env.METALCAST_WORK ?? "/var/tmp";
}
