import { Failure } from "../common/failure.ts";

/**
 * Safe in a URL, an S3 key and a file name. Hidden names are left to the stores themselves, and so `..` is none either.
 */
const segment = /^[A-Za-z0-9_][A-Za-z0-9._~+@=-]*$/;

function refuse(key: string): Failure {
  return new Failure({
    code: "key-invalid",
    kind: "failed",
    message: `"${key}" is not a key of a store`,
    hint: "a key is a relative path of letters, digits and . _ ~ + @ = - whose parts do not begin with a dot",
    data: { key },
  });
}

/** @throws Failure `key-invalid` (failed) */
export function checkKey(key: string): void {
  if (!key.split("/").every((part) => segment.test(part))) throw refuse(key);
}

/** A prefix is the beginning of a key, cut anywhere. @throws Failure `key-invalid` (failed) */
export function checkPrefix(prefix: string): void {
  const parts = prefix.split("/");
  const last = parts.pop();
  if (!parts.every((part) => segment.test(part)) || (last !== "" && !segment.test(last ?? ""))) throw refuse(prefix);
}

/** Whether it is none of the store's keys but what the store keeps for itself: a part of it begins with a dot. */
export function isPrivateKey(key: string): boolean {
  return key.split("/").some((part) => part.startsWith("."));
}
