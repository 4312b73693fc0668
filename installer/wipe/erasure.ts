import { readdir, readFile } from "node:fs/promises";
import { run } from "../../common/run.ts";
import type { StackedDevice } from "./parse-stack.ts";
import { judgeAta, judgeNvme, type SecureErase } from "./secure-erase.ts";

/**
 * What a disk can do to its own content. Asks the drive, and changes nothing.
 * @param name kernel name without /dev
 * @param directory the disk's directory in sysfs
 */
export async function findErasure(
  name: string,
  directory: string,
  signal?: AbortSignal,
): Promise<NonNullable<StackedDevice["erasure"]>> {
  const read = async (file: string) => (await readFile(`${directory}/${file}`, "utf8").catch(() => "")).trim();
  const discards = Number(await read("queue/discard_max_bytes")) > 0;
  return { discards, secure: await findSecureErase(name, directory, discards, await read("device/vendor"), signal) };
}

async function findSecureErase(
  name: string,
  directory: string,
  discards: boolean,
  vendor: string,
  signal: AbortSignal | undefined,
): Promise<SecureErase> {
  const ask = async (program: string, args: readonly string[], judge: (output: string) => SecureErase) => {
    try {
      const { stdout } = await run(program, args, {
        doing: `asking /dev/${name} how it erases itself`,
        timeoutMs: 30_000,
        ...(signal && { signal }),
      });
      return judge(stdout);
    } catch (error) {
      signal?.throwIfAborted();
      return { obstacle: error instanceof Error ? error.message : String(error) };
    }
  };
  const path = `/dev/${name}`;
  if (name.startsWith("nvme")) {
    const siblings = await readdir(`${directory}/device`).catch(() => []);
    const namespaces = siblings.filter((entry) => /^nvme\d+(c\d+)?n\d+$/.test(entry)).length;
    return ask("nvme", ["id-ctrl", "--output-format=json", path], (output) => judgeNvme(output, namespaces));
  }
  // libata's vendor for every drive. Behind USB an interrupted or swallowed command leaves a locked drive.
  if (vendor === "ATA" && !directory.includes("/usb")) return ask("hdparm", ["-I", path], judgeAta);
  // Whether a card erases discarded blocks shows when it is asked to.
  if (name.startsWith("mmcblk") && discards) return { way: "secure-discard" };
  return { obstacle: "it is neither an NVMe drive, nor an ATA drive, nor a memory card" };
}
