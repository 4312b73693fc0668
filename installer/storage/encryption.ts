import type { Secret } from "../../common/secret.ts";
import { deriveUuid } from "../identity.ts";
import type { Step, TargetFile } from "../step.ts";
import type { Device } from "./device.ts";
import { storageInvalid } from "./storage-invalid.ts";
import type { FullLayout } from "./storage-schema.ts";

/** A LUKS2 volume. */
export interface EncryptedVolume {
  /** Of the opened device: /dev/mapper/NAME. */
  name: string;
  /** What it lies on. */
  device: string;
  uuid: string;
  /** `passphrase`: asked for at the console; `key`: a file of the target. */
  unlock: "passphrase" | "key";
  secret: Secret;
}

/** cryptsetup(8), luksFormat: header and key slots of LUKS2. */
const headerBytes = 16 * 2 ** 20;

/** @throws Failure `storage-invalid` (configuration) */
export function layOutEncryption(
  { name, passphrase, key }: FullLayout["luks"][number],
  below: Device,
  instanceUuid: string,
): Device & { kind: "encrypted" } {
  const secret = passphrase ?? key;
  if (secret === undefined) throw storageInvalid(`the encrypted volume ${name} has neither a passphrase nor a key`);
  const sizeBytes = below.sizeBytes - headerBytes;
  if (sizeBytes < 2 ** 20) throw storageInvalid(`the encrypted volume ${name} is no larger than its header`);
  const unlock = passphrase === undefined ? "key" : "passphrase";
  const volume = { name, device: below.path, uuid: deriveUuid(instanceUuid, `luks ${name}`), unlock, secret } as const;
  return { ...below, kind: "encrypted", volume, path: `/dev/mapper/${name}`, sizeBytes, below: [below] };
}

export function encryptStep({ name, device, uuid, secret }: EncryptedVolume): Step {
  return { kind: "encrypt", name: `encrypt-${name}`, title: `encrypt ${name}`, mapping: name, device, uuid, secret };
}

/**
 * crypttab(5). `initramfs` is for Debian's, which opens what the root file system stands on, and cannot always see what
 * that is from inside a target.
 */
export function formatCrypttab(volumes: readonly EncryptedVolume[], neededByRoot: ReadonlySet<string>): string {
  const lines = volumes.map(({ name, uuid, unlock }) => {
    const options = neededByRoot.has(name) ? "luks,initramfs" : "luks";
    return `${name} UUID=${uuid} ${unlock === "key" ? keyPath(name) : "none"} ${options}\n`;
  });
  return `# <target name> <source device> <key file> <options>\n${lines.join("")}`;
}

export function keyFiles(volumes: readonly EncryptedVolume[]): TargetFile[] {
  return volumes
    .filter(({ unlock }) => unlock === "key")
    .map(({ name, secret }) => ({ path: keyPath(name), mode: 0o400, content: secret }));
}

/** Where systemd looks for keys by itself: crypttab(5). */
function keyPath(name: string): string {
  return `/etc/cryptsetup-keys.d/${name}.key`;
}
