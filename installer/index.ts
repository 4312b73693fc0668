/**
 * Puts a published image on the disks of this machine.
 *
 *     import { discoverHardware, execute, loadJob, plan, resolveJobImage } from "metalcast/installer";
 *
 *     const job = await loadJob("job.yaml");
 *     const steps = plan(job, await discoverHardware(), await resolveJobImage(job));
 *     for await (const event of execute(steps)) console.log(JSON.stringify(event));
 */
export { type Event, eventSchema } from "../common/event.ts";
export { Failure, type FailureKind } from "../common/failure.ts";
export { Secret } from "../common/secret.ts";
export { type ExecuteOptions, execute } from "./execute.ts";
export { type Disk, discoverHardware, type Hardware } from "./hardware.ts";
export { type Job, jobSchema, loadJob, parseJob } from "./job.ts";
export { type DiskVerdict, judgeDisks } from "./judge-disks.ts";
export { type Plan, plan } from "./plan.ts";
export type { OpenedOwnImage, OpenOwnImage, OwnImageReference, PlannableImage } from "./plannable-image.ts";
export { type ResolveOptions, resolveJobImage } from "./resolve-job-image.ts";
export { type DiskGroup, selectDisks } from "./select-disks.ts";
export type { Command, Step } from "./step.ts";
