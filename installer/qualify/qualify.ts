import { mkdir } from "node:fs/promises";
import { type Emit, reportOperation } from "../../common/event.ts";
import { Failure } from "../../common/failure.ts";
import { withLock } from "../../common/file-lock.ts";
import { endLeftPrograms } from "../../common/left-programs.ts";
import { checkRoot } from "../../common/root.ts";
import { hardwareName, type QualificationReport, type QualifiedImage } from "../../mirror/index.ts";
import { runDirectory } from "../run-directory.ts";
import { checks } from "./checks/index.ts";
import { describeHost } from "./describe-host.ts";
import { digestProfile, type ItemName, isItemName, itemNames, type Profile } from "./profile.ts";
import { runItems } from "./run-items.ts";

export interface QualifyOptions {
  /** Default: all that the profile has. */
  only?: readonly ItemName[];
  image?: QualifiedImage | undefined;
  emit: Emit;
  signal: AbortSignal;
}

/**
 * Finds out whether this server and what is installed on it are fit for each other, by a profile. An interruption ends
 * what is running, and the report says so.
 * @throws Failure `not-root`, `item-unknown` (configuration), `qualification-running`, `programs-left` (refused)
 */
export async function qualify(profile: Profile, options: QualifyOptions): Promise<QualificationReport> {
  const { image, emit, signal, only } = options;
  checkRoot("qualifying this server");
  const names = choose(profile, only);
  await endLeftPrograms("qualifying this server", signal);
  await mkdir(runDirectory, { recursive: true });
  return withLock(`${runDirectory}/qualify.lock`, work, { ifHeld: alreadyRunning, signal });

  async function work(): Promise<QualificationReport> {
    const startedAt = new Date().toISOString();
    const host = await describeHost(signal);
    const subject = `${hardwareName(host)} by profile ${profile.name}`;
    return reportOperation(emit, { operation: "qualification", subject }, async () => {
      const items = await runItems(checks, profile, names, { emit, signal });
      const hasFailed = items.some(({ outcome }) => outcome === "failed");
      return {
        formatVersion: 1,
        outcome: signal.aborted ? "interrupted" : hasFailed ? "failed" : "passed",
        startedAt,
        endedAt: new Date().toISOString(),
        host,
        ...(image && { image }),
        profile: { name: profile.name, sha256: digestProfile(profile) },
        partial: only !== undefined,
        items,
      };
    });
  }
}

function choose(profile: Profile, only: readonly string[] | undefined): ItemName[] {
  const there = itemNames.filter((name) => profile.items[name] !== undefined);
  for (const name of only ?? []) {
    if (isItemName(name) && there.includes(name)) continue;
    throw new Failure({
      code: "item-unknown",
      kind: "configuration",
      message: `qualifying this server: the profile ${profile.name} has no item ${name}`,
      hint: `items: ${there.join(", ")}`,
    });
  }
  return there.filter((name) => !only || only.includes(name));
}

function alreadyRunning(): Failure {
  return new Failure({
    code: "qualification-running",
    kind: "refused",
    message: "qualifying this server: another qualification is running on it, and they would falsify each other",
    hint: "wait for it, or end it",
  });
}
