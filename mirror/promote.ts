import { Failure } from "../common/failure.ts";
import { type Channels, changeChannels, versionNamedBy } from "./channel.ts";
import type { Arch } from "./manifest.ts";
import { noteNamed } from "./named-by.ts";
import { expectQualified } from "./qualification/expect-qualified.ts";
import { compareVersions, defaultChannel, expectChannel } from "./reference.ts";
import { resolveImage } from "./resolve.ts";
import { forgetRolledBack, markRolledBack } from "./rolled-back.ts";
import type { Store } from "./store.ts";

export interface PromoteOptions {
  arch: Arch;
  /** The channel that moves. Default: stable. */
  channel?: string;
  /** Back to an older version, in place of forward to a newer one: see rollback.ts. */
  back?: boolean;
  /** Servers on which the version has to have passed: "Dell Inc. PowerEdge R640". Default: none. */
  requireQualified?: readonly string[];
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
 * Lets a channel name a version that is published already. It moves forward only, unless it is asked to go back.
 * @param reference the version, or another channel that names it: `debian-12@20261123.0`, `debian-12:candidate`
 * @throws Failure `channel-ahead` (refused) where the channel names a newer version, `channel-behind` (refused) where
 *   it is to go back and names an older one or none, `not-qualified` (refused); what resolveImage throws
 */
export async function promote(store: Store, reference: string, options: PromoteOptions): Promise<Promoted> {
  const { arch, channel = defaultChannel, back = false, requireQualified = [], signal } = options;
  expectChannel(channel);
  const { manifest } = await resolveImage(store, reference, { arch, ...(signal && { signal }) });
  const { name, version } = manifest;
  const doing = back ? `rolling ${name}:${channel} back to ${version}` : `promoting ${name}@${version} to ${channel}`;
  let former: string | undefined;
  const change = (current: Channels | undefined) => {
    const listed = current?.versions[version];
    if (!listed) throw versionGone(doing);
    expectQualified(current, version, requireQualified, doing);
    former = versionNamedBy(current, channel);
    const ahead = former === undefined ? -1 : compareVersions(former, version);
    if (!back && ahead > 0) throw channelAhead(doing, channel, former);
    if (back && ahead < 0) throw channelBehind(doing, channel, former);
    const versions = { ...current.versions, [version]: noteNamed(listed, channel) };
    const moved = { ...current, versions, channels: { ...current.channels, [channel]: version } };
    if (!back) return forgetRolledBack(moved, channel, version);
    return ahead > 0 && former !== undefined ? markRolledBack(moved, channel, former) : moved;
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

function channelAhead(doing: string, channel: string, former: string | undefined): Failure {
  return new Failure({
    code: "channel-ahead",
    kind: "refused",
    message: `${doing}: ${channel} names ${former} already, which is newer`,
    hint: "a channel moves forward only; `metalcast rollback` is the way back",
    data: { channel, former },
  });
}

function channelBehind(doing: string, channel: string, former: string | undefined): Failure {
  return new Failure({
    code: "channel-behind",
    kind: "refused",
    message: `${doing}: ${channel} names ${former ?? "nothing yet"}, and that is no way back`,
    hint: "`metalcast promote` lets a channel name a newer version",
    data: { channel, former },
  });
}
