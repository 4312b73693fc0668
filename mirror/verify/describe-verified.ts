import { formatTable } from "../../common/table.ts";
import { formatSize } from "../../common/units.ts";
import { type Finding, isDamage } from "./finding.ts";
import type { Verified } from "./verify.ts";

const soonMs = 86_400_000;

/** What was found, for people: a table, and whether readers are the worse for it. @param now to tell what expires soon */
export function describeVerified(verified: Verified, { dryRun, now }: { dryRun: boolean; now: Date }): string {
  const { store, checked, findings, repaired } = verified;
  const rows = findings.map(({ key, problem, ...finding }) => [problem, key, tell({ key, problem, ...finding })]);
  const table = rows.length > 0 ? [formatTable(["problem", "object", ""], rows)] : [];
  const mended = repaired.map(({ key }) => `${dryRun ? "would be repaired" : "repaired"}: ${key}`);
  const damaged = findings.filter(isDamage).length;
  const idle = findings.filter((finding) => !isDamage(finding));
  const idleBytes = idle.reduce((sum, { found }) => sum + (typeof found === "number" ? found : 0), 0);
  const sums = [
    `checked ${checked.objects} objects (${formatSize(checked.bytes)} read)`,
    damaged > 0 ? `${damaged} damaged` : "none damaged",
    ...(idle.length > 0 ? [`${idle.length} that nothing refers to (${formatSize(idleBytes)})`] : []),
  ];
  return [...table, ...mended, sums.join(", "), `${store}: ${tellState(verified, now)}`].join("\n");
}

function tell({ expected, found, reason, problem }: Finding): string {
  if (reason !== undefined) return reason;
  if (problem === "size") return `${found} bytes, not ${expected}`;
  if (problem === "hash") return `SHA-256 ${found}, not ${expected}`;
  return typeof found === "number" ? formatSize(found) : "";
}

function tellState({ version, expires, expiresFirst }: Verified, now: Date): string {
  if (version === undefined || expires === undefined) return "its statement can't be read";
  const until = `${expires.slice(0, 16).replace("T", " ")} UTC`;
  const leftMs = Date.parse(expires) - now.getTime();
  if (leftMs <= 0) return `statement ${version}, expired since ${until} (${expiresFirst})`;
  const soon = leftMs < soonMs ? `, which is within a day (${expiresFirst}): have it renewed, or sync it` : "";
  return `statement ${version}, good until ${until}${soon}`;
}
