import { Targets } from "@tufjs/models";
import { Failure } from "../../common/failure.ts";
import { specVersion } from "./metadata.ts";
import { topRoles } from "./roles.ts";
import type { SigningKey } from "./signing-key.ts";

/**
 * Top-level targets that let these keys, `threshold` of them at a time, sign for the images of these names too.
 * @param former what is delegated already, and stays
 * @throws Failure `image-name-reserved` (configuration)
 */
export function delegate(
  former: Targets | undefined,
  { names, keys, threshold = 1 }: { names: readonly string[]; keys: readonly SigningKey[]; threshold?: number },
  { version, expires }: { version: number; expires: string },
): Targets {
  const reserved = names.find((name) => topRoles.some((role) => role === name));
  if (reserved !== undefined) throw nameReserved(reserved);
  const { keys: formerKeys = {}, roles: formerRoles = {} } = former?.delegations ?? {};
  const roles = names.map((name) => ({
    name,
    keyids: keys.map(({ key }) => key.keyID),
    threshold,
    terminating: true,
    paths: [`images/${name}/*/channels.json`],
  }));
  const allKeys = [...Object.values(formerKeys), ...keys.map(({ key }) => key)];
  const kept = Object.values(formerRoles).filter(({ name }) => !names.includes(name));
  return Targets.fromJSON({
    ...{ spec_version: specVersion, version, expires, targets: {} },
    delegations: {
      keys: Object.fromEntries(allKeys.map((key) => [key.keyID, key.toJSON()])),
      roles: [...kept.map((role) => role.toJSON()), ...roles],
    },
  });
}

function nameReserved(name: string): Failure {
  return new Failure({
    code: "image-name-reserved",
    kind: "configuration",
    message: `an image cannot be called ${name}: a role of the mirror's signatures is`,
    hint: "give the image another name",
  });
}
