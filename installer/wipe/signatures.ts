import { basename } from "node:path";
import { z } from "zod";
import { run } from "../../common/run.ts";

/** What names the content of a device: a superblock, a label, a partition table. */
export interface Signature {
  /** As wipefs(8) calls it: `ext4`, `linux_raid_member`, `LVM2_member`, `gpt`. */
  type: string;
  /** Bytes from the start of the device. */
  offset: number;
  /** Empty where the format has none. Members of one array or of one btrfs share theirs. */
  uuid: string;
  label: string;
}

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? "");
const offset = z.string().regex(/^0x[0-9a-f]+$/i);
const wipefsSchema = z.object({
  signatures: z.array(z.object({ device: z.string(), type: z.string(), offset, uuid: text, label: text })),
});

/**
 * Reads what `wipefs --no-act --json` prints; older versions print nothing for clean devices.
 * @returns signatures by the last part of the device's name
 */
export function parseSignatures(output: string): Map<string, Signature[]> {
  const byDevice = new Map<string, Signature[]>();
  if (output.trim() === "") return byDevice;
  for (const { device, type, uuid, label, offset } of wipefsSchema.parse(JSON.parse(output)).signatures) {
    byDevice.set(device, [...(byDevice.get(device) ?? []), { type, offset: Number(offset), uuid, label }]);
  }
  return byDevice;
}

/**
 * All signatures of devices, at every offset that libblkid knows. Changes nothing.
 * @param paths devices that can be read
 * @returns signatures by path
 * @throws Failure `command-failed`, also for a device that does not answer within half a minute
 */
export async function readSignatures(
  paths: readonly string[],
  signal?: AbortSignal,
): Promise<Map<string, readonly Signature[]>> {
  if (paths.length === 0) return new Map();
  const { stdout } = await run("wipefs", ["--no-act", "--json", ...paths], {
    doing: `looking for old signatures on ${paths.join(", ")}`,
    timeoutMs: 30_000,
    ...(signal && { signal }),
  });
  const byDevice = parseSignatures(stdout);
  return new Map(paths.map((path) => [path, byDevice.get(basename(path)) ?? []]));
}

/** The same of what can be read; a device that fails has none. */
export async function readAnySignatures(
  paths: readonly string[],
  signal?: AbortSignal,
): Promise<Map<string, readonly Signature[]>> {
  try {
    return await readSignatures(paths, signal);
  } catch {
    signal?.throwIfAborted();
    // One bad device ends wipefs before it has printed the others'.
    const found = await Promise.all(paths.map((path) => readSignatures([path], signal).catch(() => new Map())));
    signal?.throwIfAborted();
    return new Map(found.flatMap((signatures) => [...signatures]));
  }
}
