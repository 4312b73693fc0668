import { z } from "zod";
import { hostname } from "./hostname.ts";
import { networkSchema } from "./network.ts";

const keyTypes = [
  "ssh-ed25519",
  "ssh-rsa",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "sk-ssh-ed25519@openssh.com",
  "sk-ecdsa-sha2-nistp256@openssh.com",
];

/** RFC 4253 section 6.6: the key begins with its type once more, as a string with its length in four bytes. */
function isPublicKey(text: string): boolean {
  const match = /^(\S+) ([A-Za-z0-9+/]+={0,2})(?: [^\r\n\0]*)?$/.exec(text);
  const [, type = "", encoded = ""] = match ?? [];
  if (!keyTypes.includes(type) || encoded.length % 4 !== 0) return false;
  const key = Buffer.from(encoded, "base64");
  const typeLength = key.length < 4 ? 0 : key.readUInt32BE(0);
  return key.length > 4 + typeLength && key.toString("latin1", 4, 4 + typeLength) === type;
}

const sshKey = z
  .string()
  .refine(isPublicKey, "expected one line of a .pub file, such as ssh-ed25519 AAAA... me@example.net");

/** The job's `instance`: what the server is to be, as cloud-init will read it on the first boot. */
export const instanceSchema = z.strictObject({
  hostname,
  /** The instance id. Without one, the installer chooses it. */
  uuid: z.uuid().toLowerCase().optional(),
  sshKeys: z.array(sshKey).default([]),
  /** The text itself (`#cloud-config ...`, `#!/bin/sh ...`), not a path. */
  userData: z.string().optional(),
  /** The operator's own cloud-init configuration, applied beneath the user's. */
  vendorData: z.string().optional(),
  /** `meta` in meta_data.json. */
  metadata: z.record(z.string(), z.string()).default({}),
  availabilityZone: z.string().min(1).optional(),
  projectId: z.string().min(1).optional(),
  /** Without one, cloud-init asks for an address by DHCP on the first interface that has a link. */
  network: networkSchema.optional(),
});

export type Instance = z.infer<typeof instanceSchema>;
