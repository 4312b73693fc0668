import { Failure } from "../common/failure.ts";
import { type Channels, changeChannels, versionNamedBy } from "./channel.ts";
import type { Arch } from "./manifest.ts";
import { compareVersions, defaultChannel, expectChannel } from "./reference.ts";
import { resolveImage } from "./resolve.ts";
import type { Store } from "./store.ts";

export interface PromoteOptions {
  arch: Arch;
  /** The channel that moves. Default: stable. */
  channel?: string;
  signal?: AbortSignal;
}

export interface Promoted {
  name: string;
  arch: Arch;
  version: string;
  channel: string;
  /** What the channel named before; it may be this version already. */
  former?: string;
}

/**
 * Lets a channel name a version that is published already. It moves forward only.
 * @param reference the version, or another channel that names it: `debian-12@20261123.0`, `debian-12:candidate`
 * @throws Failure `channel-ahead` (refused) where the channel names a newer version; what resolveImage throws
 */
export async function promote(store: Store, reference: string, options: PromoteOptions): Promise<Promoted> {
  const { arch, channel = defaultChannel, signal } = options;
  expectChannel(channel);
  const { manifest } = await resolveImage(store, reference, { arch, ...(signal && { signal }) });
  const { name, version } = manifest;
  const doing = `promoting ${name}@${version} to ${channel}`;
  let former: string | undefined;
  const change = (current: Channels | undefined) => {
    if (!current?.versions[version]) throw versionGone(doing);
    former = versionNamedBy(current, channel);
    if (former !== undefined && compareVersions(former, version) > 0) throw channelAhead(doing, channel, former);
    return { ...current, channels: { ...current.channels, [channel]: version } };
  };
  await changeChannels(store, { name, arch }, change, signal);
  return { name, arch, version, channel, ...(former !== undefined && { former }) };
}

/** It was there a moment ago. */
function versionGone(doing: string): Failure {
  return new Failure({
    code: "version-unknown",
    kind: "configuration",
    message: `${doing}: the version has been pruned in the meantime`,
    hint: "look at the versions with `metalcast list`",
  });
}

function channelAhead(doing: string, channel: string, former: string): Failure {
  return new Failure({
    code: "channel-ahead",
    kind: "refused",
    message: `${doing}: ${channel} names ${former} already, which is newer`,
    hint: "a channel moves forward only: publish what should be installed as a new version",
    data: { channel, former },
  });
}
