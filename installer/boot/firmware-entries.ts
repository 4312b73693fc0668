import { type RunOptions, run } from "../../common/run.ts";
import type { FirmwareEntry } from "../step.ts";

/** What the firmware holds: efibootmgr's listing. */
export interface BootEntries {
  order: string[];
  entries: { number: string; label: string }[];
}

/** efibootmgr(8): `BootOrder: 0001,0000`, then one line an entry: `Boot0001* debian<TAB>HD(...)`. */
export function parseBootEntries(listing: string): BootEntries {
  const order = /^BootOrder: ([0-9A-F,]+)$/m.exec(listing)?.[1]?.split(",") ?? [];
  const entries = [...listing.matchAll(/^Boot([0-9A-F]{4})[* ] ([^\t\n]*)/gm)].map(([, number = "", label = ""]) => ({
    number,
    label: label.trim(),
  }));
  return { order, entries };
}

const networkBoot = /PXE|HTTP|IPv[46]|network/i;

/**
 * Entries that boot from the network stay in front: who runs the server decides there what it boots. Then ours, then
 * the rest.
 */
export function orderEntries({ order, entries }: BootEntries, ours: readonly string[]): string[] {
  const label = (number: string) => entries.find((entry) => entry.number === number)?.label ?? "";
  const others = order.filter((number) => !ours.includes(number));
  const network = others.filter((number) => networkBoot.test(label(number)));
  return [...network, ...ours, ...others.filter((number) => !network.includes(number))];
}

/** efivarfs is what kernels since 6.0 want; the old interface may fail there. */
const env = { LIBEFIVAR_OPS: "efivarfs" };

/** One boot entry per ESP; what an earlier installation left under the same labels goes first. */
export async function writeFirmwareEntries(wanted: readonly FirmwareEntry[], options: RunOptions): Promise<void> {
  const labels = wanted.map(({ label }) => label);
  const list = async () => parseBootEntries((await run("efibootmgr", [], { ...options, env })).stdout);
  for (const { number, label } of (await list()).entries) {
    if (labels.includes(label))
      await run("efibootmgr", ["--quiet", "--bootnum", number, "--delete-bootnum"], { ...options, env });
  }
  for (const { label, disk, partition, loader } of wanted) {
    const where = ["--disk", disk, "--part", String(partition), "--loader", loader, "--label", label];
    await run("efibootmgr", ["--quiet", "--create-only", ...where], { ...options, env });
  }
  const present = await list();
  const ours = labels.flatMap((label) =>
    present.entries.filter((entry) => entry.label === label).map(({ number }) => number),
  );
  await run("efibootmgr", ["--quiet", "--bootorder", orderEntries(present, ours).join(",")], { ...options, env });
}
