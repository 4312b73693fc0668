export type KernelVersion = readonly [major: number, minor: number];

/**
 * @param release as uname(1) has it: 6.1.0-40-amd64, 3.10.0-1160.el7.x86_64. One that has no version in front is taken
 *   for a new one: nothing is known against it.
 */
export function isBefore(release: string, [newMajor, newMinor]: KernelVersion): boolean {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  if (major === undefined || minor === undefined) return false;
  return Number(major) < newMajor || (Number(major) === newMajor && Number(minor) < newMinor);
}
