import { createHash } from "node:crypto";
import { Failure } from "../../common/failure.ts";
import { type Channels, changeChannels, type ImagePlace, versionLeaving } from "../channel.ts";
import type { Arch } from "../manifest.ts";
import { readWhole } from "../read-whole.ts";
import { resolveImage } from "../resolve.ts";
import { withRetries } from "../retry.ts";
import type { Store } from "../store.ts";
import { addQualified, type QualifiedEntry, reportLimitBytes, reportName } from "./entries.ts";
import { expectSameImage, judgeReport } from "./judge-report.ts";
import { parseReport } from "./parse-report.ts";

export interface KeepReportOptions {
  arch: Arch;
  /** Default: this machine's clock. */
  now?: Date;
  signal?: AbortSignal;
}

export interface KeptReport extends ImagePlace, QualifiedEntry {
  version: string;
  /** Of the report's object. */
  key: string;
}

/**
 * Keeps a report of `metalcast qualify` with the version that it is of, passed or failed: the report as an object that
 * never changes, then its digest in the signed list of the image. Kept once more, nothing changes.
 * @param reference `debian-12@20261123.0`, or a channel that names the version
 * @param bytes of report.json
 * @throws Failure `report-overlong`, `report-invalid`, `report-damaged` (integrity); `report-mismatch` where it is of
 *   another image, version or manifest, `report-unfit` where it qualifies nothing (refused); `version-leaving` (retry)
 *   where a prune is removing the version; what resolveImage and a store throw
 */
export async function keepReport(
  store: Store,
  reference: string,
  bytes: Uint8Array,
  { arch, now = new Date(), signal }: KeepReportOptions,
): Promise<KeptReport> {
  const report = parseReport(bytes, "the report");
  const { manifest, manifestSha256, prefix } = await resolveImage(store, reference, {
    arch,
    ...(signal && { signal }),
  });
  const { name, version } = manifest;
  const doing = `keeping a report of ${name}@${version} (${arch})`;
  expectSameImage(report, { name, arch, version, manifestSha256 }, doing);
  const entry = judgeReport(report, bytes, { doing, now });
  const key = `${prefix}${reportName(entry.reportSha256)}`;
  await putReport(store, key, bytes, { sha256: entry.reportSha256, doing, signal });
  const change = async (current: Channels | undefined): Promise<Channels> => {
    if (!current || current.versions[version]?.manifestSha256 !== manifestSha256) throw versionLeaving(doing);
    // A prune that ran through meanwhile may have removed it, though the version is listed again.
    if (!(await store.stat(key, signal))) throw versionLeaving(doing);
    return addQualified(current, version, entry);
  };
  await changeChannels(store, { name, arch }, change, signal);
  return { name, arch, version, key, ...entry };
}

/** Its name says what is in it: whoever wrote it before wrote the same, unless it has been damaged since. */
async function putReport(
  store: Store,
  key: string,
  bytes: Uint8Array,
  { sha256, doing, signal }: { sha256: string; doing: string; signal: AbortSignal | undefined },
): Promise<void> {
  const retry = signal ? { signal } : {};
  const options = { ifAbsent: true, contentType: "application/json", sizeBytes: bytes.byteLength, ...retry };
  try {
    await withRetries(() => store.write(key, bytes, options), retry);
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "object-exists") throw error;
    const there = await readWhole(store, key, { limitBytes: reportLimitBytes, ...retry });
    if (createHash("sha256").update(there).digest("hex") === sha256) return;
    throw new Failure({
      code: "report-damaged",
      kind: "integrity",
      message: `${doing}: what lies at ${store.url}/${key} is another one`,
      hint: "the mirror is damaged: look at it with `metalcast verify`",
      data: { key },
    });
  }
}
