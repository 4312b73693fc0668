import { type Command, Option } from "commander";
import { action } from "../../common/command-line.ts";
import { Failure } from "../../common/failure.ts";
import { formatTable } from "../../common/table.ts";
import { type KeyFlags, keyOptions, openForWriting, openKeys, readPassphrase } from "./command-options.ts";
import { initMirror } from "./init.ts";
import { KeyRing } from "./key-ring.ts";
import { type Expiry, refreshMirror } from "./refresh.ts";
import { type KeyRole, keyRoles } from "./roles.ts";
import { rotateKeys } from "./rotate.ts";

/** The verbs of a mirror's keys. */
export function addTrustCommands(program: Command): void {
  const mirror = program.command("mirror").description("make a mirror, and look after its keys");
  const withKeys = (command: Command) => keyOptions().reduce((made, option) => made.addOption(option), command);

  withKeys(mirror.command("init <store>"))
    .description("make a store a mirror: its keys, and the root.json that readers pin")
    .option("--image <name...>", "images that can be published without the passphrase")
    .action(
      action<KeyFlags & { image?: string[] }>(
        async ({ emit, print, signal }, { keys, passphraseFile, image = [] }, url) => {
          if (passphraseFile === undefined) throw passphraseMissing(keys);
          const ring = await KeyRing.create(keys, await readPassphrase(passphraseFile));
          await initMirror(openForWriting(url, emit), ring, { images: image, signal });
          const root = `${keys}/root.json`;
          print({ store: url, keys, root }, `${url} is a mirror; its readers pin ${root}, its keys are in ${keys}`);
        },
      ),
    );
  withKeys(mirror.command("refresh <store>"))
    .description("sign the mirror's state anew, so that readers can tell it from an old one; the nightly does it")
    .action(
      action<KeyFlags>(async ({ emit, print, signal }, flags, url) => {
        const expiries = await refreshMirror(openForWriting(url, emit), await openKeys(flags), { signal });
        print(expiries, describeExpiries(expiries));
      }),
    );
  withKeys(mirror.command("rotate <store>"))
    .description("give a role new keys, or let more of them have to sign")
    .addOption(new Option("--role <name>", "whose keys").choices(keyRoles).makeOptionMandatory())
    .option("--count <number>", "how many keys it has afterwards")
    .option("--threshold <number>", "how many of them have to sign")
    .option("--keep", "its former keys stay; add only as many as are missing")
    .action(
      action<KeyFlags & { role: KeyRole; count?: string; threshold?: string; keep?: boolean }>(
        async ({ emit, print, signal }, { role, count, threshold, keep = false, ...flags }, url) => {
          const keyIDs = await rotateKeys(openForWriting(url, emit), await openKeys(flags), role, {
            keep,
            signal,
            ...(count !== undefined && { keys: Number(count) }),
            ...(threshold !== undefined && { threshold: Number(threshold) }),
          });
          print({ role, keyIDs }, `${role} signs with ${keyIDs.map((keyID) => keyID.slice(0, 12)).join(", ")}`);
        },
      ),
    );
}

/** @returns a table of what expires when, what is due first to be seen */
function describeExpiries(expiries: readonly Expiry[]): string {
  const rows = expiries.map(({ role, expires, isDue }) => [
    role,
    expires.toISOString().slice(0, 10),
    isDue ? "due: `metalcast mirror rotate` renews it" : "",
  ]);
  return formatTable(["signed by", "expires", ""], rows);
}

function passphraseMissing(keys: string): Failure {
  return new Failure({
    code: "passphrase-missing",
    kind: "configuration",
    message: `making keys in ${keys}: those of root and targets are kept encrypted, and there is no passphrase`,
    hint: "name a file that holds it by --passphrase-file",
  });
}
