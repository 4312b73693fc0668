import { access, readdir } from "node:fs/promises";
import { Failure } from "../../common/failure.ts";
import { run } from "../../common/run.ts";
import { type Claim, tryToClaim } from "../describe-disk.ts";
import { labelPath } from "../label-disk.ts";
import type { NamedDisk } from "./relations.ts";
import { readSignatures } from "./signatures.ts";

/**
 * What is left of a disk's past: devices on it, whoever holds it, signatures that wipefs or blkid finds at any offset.
 * @returns in words; empty: it is as good as new
 */
export async function findRemains({ name, path }: NamedDisk, signal: AbortSignal): Promise<string[]> {
  const signatures = (await readSignatures([path], signal)).get(path) ?? [];
  const probed = await probe(path, signal);
  return [
    ...(await findDependents(name)),
    ...signatures.map(({ type, offset }) => `the signature ${type} at byte ${offset}`),
    ...(signatures.length === 0 && probed ? [`what blkid calls ${probed}`] : []),
    ...describeClaim(await tryToClaim(path)),
  ];
}

/** @throws Failure `disk-not-clean` (failed), which names what is left */
export function assertClean(disk: NamedDisk, remains: readonly string[], cause: Failure | undefined): void {
  if (remains.length === 0) return;
  throw new Failure({
    code: "disk-not-clean",
    kind: "failed",
    message: `wiping ${labelPath(disk.path)}: there is still ${remains.join(", ")}${cause ? ` (${cause.message})` : ""}`,
    hint: "see what holds it with `lsblk` and `fuser -vm`, release it by hand, and try again",
    data: { remains },
    cause,
  });
}

/** Partitions that the kernel still knows, and devices that lie on the disk. */
async function findDependents(name: string): Promise<string[]> {
  const directory = `/sys/class/block/${name.slice("/dev/".length).replaceAll("/", "!")}`;
  const entries = await readdir(directory);
  const partitions = await Promise.all(
    entries.map((entry) =>
      access(`${directory}/${entry}/partition`).then(
        () => [`the partition ${entry}`],
        () => [],
      ),
    ),
  );
  return [...partitions.flat(), ...(await readdir(`${directory}/holders`)).map((holder) => `${holder} on it`)];
}

/** blkid(8): low-level probing ends with 2 where it finds nothing and with 8 where it finds several things. */
async function probe(path: string, signal: AbortSignal): Promise<string> {
  const { stdout, exitCode } = await run("blkid", ["--probe", "--output", "full", path], {
    doing: `probing ${path}`,
    accept: [0, 2, 8],
    signal,
  });
  if (exitCode === 2) return "";
  return stdout.trim() || "ambiguous";
}

function describeClaim(claim: Claim): string[] {
  if (claim === "free") return [];
  return [claim === "held" ? "something in the kernel that holds it" : `a fault: ${claim.fault}`];
}
