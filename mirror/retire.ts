import { Failure } from "../common/failure.ts";
import { type Channels, changeChannels } from "./channel.ts";
import type { Arch } from "./manifest.ts";
import { takeRecord } from "./named-by.ts";
import { compareVersions, parseReference } from "./reference.ts";
import type { Store } from "./store.ts";

export interface RetireOptions {
  arch: Arch;
  /** Default: this machine's clock. */
  now?: Date;
  signal?: AbortSignal;
}

export interface Retired {
  name: string;
  arch: Arch;
  version: string;
  /** Since when nobody new finds it: ISO 8601. A prune removes its files once its grace is over. */
  since: string;
}

/**
 * Takes a version off the list at once: nobody new finds it, and whoever found it before still has its files until a
 * prune removes them. Retired once more, nothing changes.
 * @param reference `debian-12@20261123.0`
 * @throws Failure `version-named` (refused) where a channel names it; `reference-invalid`, `version-unknown`
 *   (configuration); what a store throws
 */
export async function retire(store: Store, reference: string, options: RetireOptions): Promise<Retired> {
  const { arch, now = new Date(), signal } = options;
  const wanted = parseReference(reference);
  const doing = `retiring ${reference}`;
  if (!("version" in wanted)) throw versionMissing(doing);
  const { name, version } = wanted;
  let since = now.toISOString();
  const change = (current: Channels | undefined): Channels => {
    if (!current) throw versionUnknown(doing, store.url, []);
    const { [version]: listed, ...versions } = current.versions;
    const left = current.pruned?.[version];
    if (left) {
      since = left.since;
      return current;
    }
    if (!listed) throw versionUnknown(doing, store.url, Object.keys(versions));
    const channels = Object.entries(current.channels).flatMap(([channel, named]) => (named === version ? channel : []));
    if (channels.length > 0) throw versionNamed(doing, store.url, name, channels);
    const entry = { since: now.toISOString(), ...takeRecord(listed) };
    return { ...current, versions, pruned: { ...current.pruned, [version]: entry } };
  };
  await changeChannels(store, { name, arch }, change, signal);
  return { name, arch, version, since };
}

function versionMissing(doing: string): Failure {
  return new Failure({
    code: "reference-invalid",
    kind: "configuration",
    message: `${doing}: it names no version`,
    hint: "write debian-12@20261123.0",
  });
}

function versionUnknown(doing: string, url: string, versions: readonly string[]): Failure {
  const newest = versions.toSorted((a, b) => compareVersions(b, a)).slice(0, 5);
  return new Failure({
    code: "version-unknown",
    kind: "configuration",
    message: `${doing}: ${url} lists no such version`,
    hint: newest.length > 0 ? `newest versions: ${newest.join(", ")}` : "look at the images with `metalcast list`",
  });
}

function versionNamed(doing: string, url: string, name: string, channels: readonly string[]): Failure {
  const [channel = ""] = channels;
  return new Failure({
    code: "version-named",
    kind: "refused",
    message: `${doing}: ${channels.join(" and ")} ${channels.length === 1 ? "names" : "name"} it`,
    hint: `first \`metalcast rollback ${name} --on ${url} --to VERSION --channel ${channel}\``,
    data: { channels },
  });
}
