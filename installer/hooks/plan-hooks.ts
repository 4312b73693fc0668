import { createHash } from "node:crypto";
import { Secret } from "../../common/secret.ts";
import { formatSize } from "../../common/units.ts";
import { findSecrets } from "../hide-secrets.ts";
import type { Job } from "../job.ts";
import type { Step } from "../step.ts";
import type { HookPoint } from "./settings.ts";

/** What hooks are told of the installation, in their environment. */
interface HookSubject {
  image: string;
  instanceUuid: string;
  /** Stable paths. */
  disks: readonly string[];
  /** Where the target is mounted. */
  target: string;
  /** What the target's programs may use. */
  devices: readonly string[];
}

const words: Record<HookPoint, string> = {
  afterPartitioning: "after-partitioning",
  afterLaying: "after-laying",
  beforeReboot: "before-reboot",
};

/** The steps of the hooks of one point, in order. Of scripts, a plan shows name, size and SHA-256. */
export function hookSteps(job: Job, point: HookPoint, { image, instanceUuid, disks, ...place }: HookSubject): Step[] {
  const where = point === "afterPartitioning" ? "rescue" : "target";
  const secrets = findSecrets(job);
  return job.hooks[point].map(({ name, content, timeoutMs, network }, index) => {
    const sizeBytes = Buffer.byteLength(content);
    const sha256 = createHash("sha256").update(content).digest("hex");
    return {
      kind: "hook",
      name: `hook-${words[point]}-${index + 1}`,
      title: `run ${name} (${formatSize(sizeBytes)}, SHA-256 ${sha256.slice(0, 12)})`,
      ...place,
      where,
      script: { name, sizeBytes, sha256, content: new Secret(content) },
      timeoutMs,
      network,
      environment: {
        METALCAST_HOOK: point,
        METALCAST_IMAGE: image,
        METALCAST_INSTANCE: instanceUuid,
        METALCAST_HOSTNAME: job.instance.hostname,
        METALCAST_DISKS: disks.join(" "),
        METALCAST_TARGET: where === "target" ? "/" : place.target,
      },
      secrets,
    };
  });
}
