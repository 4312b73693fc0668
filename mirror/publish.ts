import { type Emit, note, reportOperation, reportStep } from "../common/event.ts";
import type { Failure } from "../common/failure.ts";
import { formatSize } from "../common/units.ts";
import { imagePrefix, moveChannel, versionLeaving } from "./channel.ts";
import { putImmutable } from "./immutable.ts";
import { type LocalFile, readLocalImage } from "./local-image.ts";
import type { Arch } from "./manifest.ts";
import { defaultChannel, expectChannel } from "./reference.ts";
import { patientAttempts, withRetries } from "./retry.ts";
import type { Store } from "./store.ts";

export interface PublishOptions {
  /** Default: stable. */
  channel?: string;
  emit: Emit;
  /** Before the first retry of an upload; doubles with each, up to 15 s. Default: 500. */
  retryDelayMs?: number;
  signal?: AbortSignal;
}

export interface Published {
  name: string;
  arch: Arch;
  version: string;
  manifestSha256: string;
  /** Of the keys, with its slash. */
  prefix: string;
  channel: string;
  /** False where the channel stays at a newer version. */
  channelMoved: boolean;
}

/**
 * Publishes what the factory left in a directory: the files, then the manifest that vouches for them, then the name
 * that readers follow. Stopped anywhere, readers have whole versions and a rerun goes on from there.
 * @param directory holds manifest.json, SHA256SUMS and the files that the manifest lists
 * @throws Failure `version-exists`, `channel-invalid`, what is wrong with the directory (see readLocalImage,
 *   readVerified) or the store (see Store)
 */
export async function publish(store: Store, directory: string, options: PublishOptions): Promise<Published> {
  const { channel = defaultChannel, emit, signal } = options;
  expectChannel(channel);
  return reportOperation(emit, { operation: "publish", subject: directory }, async () => {
    const { manifest, manifestFile, files } = await readLocalImage(directory);
    const { name, arch, version } = manifest;
    const prefix = `${imagePrefix({ name, arch })}${version}/`;
    const manifestSha256 = manifestFile.sha256;

    const retry = {
      ...(options.retryDelayMs !== undefined && { retryDelayMs: options.retryDelayMs }),
      ...(signal && { signal }),
      onRetry: ({ message }: Failure) => note(emit, `${message}; trying again`),
    };
    const upload = (file: LocalFile) =>
      reportStep(
        emit,
        { step: `upload-${file.name}`, title: `Upload ${file.name} (${formatSize(file.sizeBytes)})` },
        (advance) =>
          withRetries(() => putImmutable(store, prefix + file.name, file, { advance, signal }), {
            ...retry,
            limit: patientAttempts,
          }),
      );

    const expectObjects = async () => {
      for (const { name: fileName } of [...files, manifestFile]) {
        if (!(await store.stat(prefix + fileName, signal))) throw versionLeaving(`publishing ${name}@${version}`);
      }
    };

    for (const file of files) await upload(file);
    await upload(manifestFile);

    const channelMoved = await reportStep(
      emit,
      { step: "move-channel", title: `Let ${name}:${channel} name ${version}` },
      () => moveChannel(store, { name, arch, version, manifestSha256, channel }, { confirm: expectObjects, signal }),
    );
    if (!channelMoved) note(emit, `${name}:${channel} stays at a newer version; this one is ${name}@${version}`);
    return { name, arch, version, manifestSha256, prefix, channel, channelMoved };
  });
}
