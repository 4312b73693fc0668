import { createHash } from "node:crypto";
import { Failure } from "../../common/failure.ts";
import { hardwareLimit, type QualifiedEntry } from "./entries.ts";
import { hardwareName, type QualificationReport, unknownHardware } from "./report.ts";

/** How far a server's clock may be ahead. */
const clockToleranceMs = 86_400_000;

type WantedImage = Required<NonNullable<QualificationReport["image"]>>;

/** @throws Failure `report-mismatch` (refused) where the report is of another image, version or manifest */
export function expectSameImage({ image }: QualificationReport, wanted: WantedImage, doing: string): void {
  const refuse = (reason: string, hint: string) =>
    new Failure({
      code: "report-mismatch",
      kind: "refused",
      message: `${doing}: ${reason}`,
      hint,
      data: { expected: wanted, found: image },
    });
  if (!image) throw refuse("it does not say what the server was installed from", installedHint);
  const { name, arch, version, manifestSha256 } = image;
  if (name !== wanted.name || version !== wanted.version || arch !== wanted.arch) {
    throw refuse(`it is one of ${name}@${version} (${arch})`, "name the version that the server was installed from");
  }
  if (manifestSha256 === undefined) throw refuse("it does not say which manifest the image had", installedHint);
  if (manifestSha256 !== wanted.manifestSha256) {
    throw refuse(
      `its image's manifest has SHA-256 ${manifestSha256}, the mirror's ${wanted.manifestSha256}`,
      "the server was installed from another mirror: install it from this one",
    );
  }
}

const installedHint = "qualify a server that was installed from this mirror: /etc/metalcast/image.json is there then";

/**
 * What the signed list is to say of a report.
 * @throws Failure `report-unfit` (refused) where it qualifies nothing
 */
export function judgeReport(
  report: QualificationReport,
  bytes: Uint8Array,
  { doing, now }: { doing: string; now: Date },
): QualifiedEntry {
  const { outcome, partial, host, profile, endedAt, items } = report;
  const unfit = (reason: string, hint: string) =>
    new Failure({ code: "report-unfit", kind: "refused", message: `${doing}: ${reason}`, hint });
  const rerun = "run `metalcast qualify` to its end, with all items of the profile";
  if (outcome === "interrupted") throw unfit("the qualification was interrupted", rerun);
  if (partial) throw unfit("only some items of the profile were run", rerun);
  const failed = items.find((item) => item.outcome === "failed");
  if (outcome === "passed" && failed) throw unfit(`it says passed, and that ${failed.name} failed`, rerun);
  if (!failed && !items.some((item) => item.outcome === "passed")) throw unfit("nothing in it was carried out", rerun);
  const hardware = hardwareName(host);
  if (hardware === unknownHardware) {
    throw unfit(
      "it does not say what hardware it is of",
      "the server's firmware has no DMI, or it was not read as root",
    );
  }
  if (hardware.length > hardwareLimit) {
    throw unfit(`the hardware's name has more than ${hardwareLimit} characters`, "look at the firmware's DMI");
  }
  if (Date.parse(endedAt) > now.getTime() + clockToleranceMs) {
    throw unfit(`it ended at ${endedAt}, which is yet to come`, "set the clocks of the server and of this machine");
  }
  return {
    hardware,
    profile: profile.name,
    profileSha256: profile.sha256,
    outcome,
    at: endedAt,
    reportSha256: createHash("sha256").update(bytes).digest("hex"),
    reportBytes: bytes.byteLength,
  };
}
