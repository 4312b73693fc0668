import { readFile } from "node:fs/promises";
import { Option } from "commander";
import { type Emit, note } from "../../common/event.ts";
import { Failure } from "../../common/failure.ts";
import { Secret } from "../../common/secret.ts";
import { openStore } from "../open-store.ts";
import type { Store } from "../store.ts";
import { KeyRing, readRootFile } from "./key-ring.ts";
import { openMirror, signWith } from "./open-mirror.ts";

export interface RootFlag {
  root: string;
}

/** Of verbs that read what is signed. */
export function rootOption(): Option {
  return new Option("--root <file>", "the mirror's root, as you have pinned it")
    .env("METALCAST_ROOT")
    .default("/etc/metalcast/root.json");
}

export interface KeyFlags {
  keys: string;
  passphraseFile?: string;
}

/** Of verbs that sign. */
export function keyOptions(): Option[] {
  return [
    new Option("--keys <directory>", "the mirror's keys").env("METALCAST_KEYS").makeOptionMandatory(),
    new Option("--passphrase-file <file>", "what opens the encrypted keys, of root and targets"),
  ];
}

export async function openForReading(url: string, { root }: RootFlag): Promise<Store> {
  return openMirror(url, { root: await readRootFile(root) });
}

export async function openForSigning(url: string, flags: KeyFlags, emit: Emit): Promise<Store> {
  return signWith(await openKeys(flags), openForWriting(url, emit));
}

/** A store that is to be changed: what the user should know of it becomes a note. */
export function openForWriting(url: string, emit: Emit): Store {
  return openStore(url, { onWarning: (text) => note(emit, text) });
}

export async function openKeys({ keys, passphraseFile }: KeyFlags): Promise<KeyRing> {
  return KeyRing.open(keys, passphraseFile === undefined ? undefined : await readPassphrase(passphraseFile));
}

/** @throws Failure `passphrase-unreadable` (configuration) */
export async function readPassphrase(file: string): Promise<Secret> {
  try {
    return new Secret((await readFile(file, "utf8")).replace(/\r?\n$/, ""));
  } catch (error) {
    throw new Failure({
      code: "passphrase-unreadable",
      kind: "configuration",
      message: `reading the passphrase: cannot read ${file}`,
      hint: "write it into a file that only you can read",
      cause: error,
    });
  }
}
