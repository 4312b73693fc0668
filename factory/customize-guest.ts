import { generateKeyPairSync } from "node:crypto";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { stringify } from "yaml";
import type { AptOverride, RhsmSubscription } from "./customize-run.ts";

export interface Guest {
  /** Variables of packer/guest. */
  variables: { user: string; private_key_file: string; settings: string };
  /** A file of user data for cloud-init, which lets Packer in. */
  userDataFile: string;
}

export interface GuestOptions {
  /** Who Packer logs in as. */
  user: string;
  /** An empty folder, which nobody else may read. */
  scratch: string;
  apt?: AptOverride;
  rhsm?: RhsmSubscription;
}

/**
 * Prepares what a guest is given: the way in, by a key that is made for this build alone, and the settings that are put
 * into its /run/metalcast, a file system in memory.
 */
export async function prepareGuest({ user, scratch, apt, rhsm }: GuestOptions): Promise<Guest> {
  const settings = join(scratch, "settings");
  for (const folder of ["sources", "secrets"]) await mkdir(join(settings, folder), { recursive: true, mode: 0o700 });
  await writeFile(join(settings, "apt.conf"), await aptConfiguration(apt));
  if (apt?.sources !== undefined) await copyFile(apt.sources, join(settings, "sources", basename(apt.sources)));
  if (rhsm) {
    const key = await readFile(rhsm.activationKeyFile);
    await writeFile(join(settings, "secrets/activation-key"), key, { mode: 0o600 });
  }

  const { privateKey, publicKey } = makeKeyPair();
  const privateKeyFile = join(scratch, "ssh-key");
  await writeFile(privateKeyFile, privateKey, { mode: 0o600 });
  const userDataFile = join(scratch, "user-data");
  await writeFile(userDataFile, describeUser(user, publicKey));
  return { variables: { user, private_key_file: privateKeyFile, settings }, userDataFile };
}

async function aptConfiguration(apt: AptOverride = {}): Promise<string> {
  const lines = apt.sources === undefined ? [] : sourcesOnlyFromSettings;
  const own = apt.configuration === undefined ? "" : await readFile(apt.configuration, "utf8");
  return `${lines.join("\n")}\n${own}`;
}

/** apt.conf(5); as chroot/fence.sh has it. */
const sourcesOnlyFromSettings = [
  'Dir::Etc::SourceList "/dev/null";',
  'Dir::Etc::SourceParts "/run/metalcast/sources";',
];

/**
 * The way in, and of all that cloud-init does on a first boot only what that and room on the disk need: nothing else in
 * the image changes. Root's key needs no account to be made, and taken away again.
 */
function describeUser(name: string, publicKey: string): string {
  const keys = { ssh_authorized_keys: [publicKey] };
  const account = { name, shell: "/bin/sh", sudo: "ALL=(ALL) NOPASSWD:ALL", ...keys };
  const settings = {
    ...(name === "root" ? { disable_root: false, users: [], ...keys } : { users: [account] }),
    cloud_init_modules: ["growpart", "resizefs", "users-groups", "ssh"],
    cloud_config_modules: [],
    cloud_final_modules: [],
  };
  return `#cloud-config\n${stringify(settings, { lineWidth: 0 })}`;
}

/**
 * Ed25519: Packer 1.6.6 signs with an RSA key by SHA-1 alone, which OpenSSH 8.8 and newer refuse. The public key in the
 * format of RFC 8709, section 4.
 */
function makeKeyPair(): { privateKey: string; publicKey: string } {
  const pair = generateKeyPairSync("ed25519");
  const point = Buffer.from(pair.publicKey.export({ format: "jwk" }).x ?? "", "base64url");
  const blob = Buffer.concat([Buffer.from("ssh-ed25519"), point].flatMap((part) => [lengthOf(part), part]));
  return {
    privateKey: pair.privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    publicKey: `ssh-ed25519 ${blob.toString("base64")} metalcast`,
  };
}

function lengthOf(part: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(part.length);
  return length;
}
