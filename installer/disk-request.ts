import { z } from "zod";
import { diskMatchSchema } from "./disk-match.ts";

const groupSchema = z.strictObject({ count: z.number().int().min(1).max(256), match: diskMatchSchema.default({}) });

/** How many disks a group of the job is to have, and which will do. */
export type DiskRequest = z.infer<typeof groupSchema>;

/** The group whose disks the server boots from. */
export const systemGroup = "system";

const groupName = /^(?!count$|match$)[a-z][a-z0-9-]{0,15}$/;

const groupsSchema = z
  .record(z.string().regex(groupName, "expected a group's name: up to 16 of a-z, 0-9 and -"), groupSchema)
  .refine((groups) => Object.hasOwn(groups, systemGroup), {
    error: `expected a count, or groups of which one is "${systemGroup}"`,
  });

/** By name. */
export type DiskRequests = z.infer<typeof groupsSchema>;

/**
 * The job's field `disks`. `{ count, match }` is the one group "system"; `{ system: { count, match }, backup: ... }` names
 * several.
 *
 * @returns the groups by name
 */
export const disksSchema = z.union([
  groupSchema.transform((group): DiskRequests => ({ [systemGroup]: group })),
  groupsSchema,
]);

/** The system group comes first, the others as the job has them. */
export function orderGroups(requests: DiskRequests): [name: string, request: DiskRequest][] {
  const groups = Object.entries(requests);
  return [...groups.filter(([name]) => name === systemGroup), ...groups.filter(([name]) => name !== systemGroup)];
}
