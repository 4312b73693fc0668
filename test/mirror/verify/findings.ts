import type { Store } from "../../../mirror/store.ts";
import type { Finding } from "../../../mirror/verify/finding.ts";
import { keysOf } from "../sync/unsigned-mirror.ts";

const emit = () => undefined;
export const options = { emit, retryDelayMs: 1 };
export const archive = (prefix = "") => `${prefix}image.tar.zst`;

export const problems = (findings: readonly Finding[]) => findings.map(({ key, problem }) => [problem, key]);
export const damage = (findings: readonly Finding[]) =>
  problems(findings.filter(({ problem }) => problem !== "old" && problem !== "orphan"));

/** The newest file of metadata of a role. */
export async function newest(store: Store, role: string): Promise<string> {
  const keys = (await keysOf(store, "metadata/")).filter((key) => key.endsWith(`.${role}.json`));
  const numbers = keys.map((key) => Number.parseInt(key.slice("metadata/".length), 10));
  return `metadata/${Math.max(...numbers)}.${role}.json`;
}
