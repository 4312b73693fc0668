import type { QualificationReport, QualifiedImage } from "../../../mirror/qualification/report.ts";
import { resolveImage } from "../../../mirror/resolve.ts";
import type { Store } from "../../../mirror/store.ts";

export const r640 = "Dell Inc. PowerEdge R640";

/** A report of an R640 that has passed, but for what is given. */
export function sampleReport(image: QualifiedImage, changes: Partial<QualificationReport> = {}): QualificationReport {
  const at = "2026-11-30T06:00:00.000Z";
  return {
    formatVersion: 1,
    outcome: "passed",
    startedAt: at,
    endedAt: "2026-11-30T07:00:00.000Z",
    host: {
      vendor: "Dell Inc.",
      model: "PowerEdge R640",
      serial: "ABC1234",
      firmware: "Dell Inc. 2.21.2",
      cpu: { model: "Xeon", count: 2, microcode: "0x1" },
      memoryBytes: 2 ** 30,
      kernel: "6.1.0-40-amd64",
      system: "Debian GNU/Linux 12 (bookworm)",
      disks: [],
      interfaces: [],
    },
    image,
    profile: { name: "full", sha256: "0".repeat(64) },
    partial: false,
    items: [item("inventory", changes.outcome === "failed" ? "failed" : "passed")],
    ...changes,
  };
}

export function item(name: string, outcome: "passed" | "failed" | "skipped"): QualificationReport["items"][number] {
  const startedAt = "2026-11-30T06:00:00.000Z";
  return { name, title: name, outcome, startedAt, durationMs: 1, measurements: [], series: [] };
}

export const toBytes = (report: unknown) => Buffer.from(`${JSON.stringify(report, undefined, 2)}\n`);

/** What a server says it was installed from. */
export async function installedFrom(store: Store, reference: string): Promise<Required<QualifiedImage>> {
  const { manifest, manifestSha256 } = await resolveImage(store, reference, { arch: "amd64" });
  const { name, arch, version } = manifest;
  return { name, arch, version, manifestSha256 };
}
