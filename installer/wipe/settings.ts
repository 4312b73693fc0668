import { z } from "zod";

/** The job's field `wipe`: how thoroughly old content goes, and what becomes of disks that are in use. */
export const wipeSchema = z.strictObject({
  /**
   * `signatures` removes what names old content; `discard` tells the drive besides that all of it is unused; `zero`
   * overwrites all of it; `secure` has the drive erase itself.
   */
  depth: z.enum(["signatures", "discard", "zero", "secure"]).default("signatures"),
  /** `take-apart` unmounts, deactivates and stops what lies on the chosen disks; `refuse` leaves disks in use alone. */
  held: z.enum(["refuse", "take-apart"]).default("refuse"),
});

export type Wipe = z.infer<typeof wipeSchema>;
