import { z } from "zod";
import { Secret } from "../../common/secret.ts";

/** Reads a file that the job names. `what` is the field, for messages. */
type ReadText = (path: string, what: string) => Promise<string>;

const unlockSchema = z.looseObject({ passphraseFile: z.string().optional(), keyFile: z.string().optional() });
const withLuksSchema = z.looseObject({ luks: z.array(z.unknown()) });
const withEncryptSchema = z.looseObject({ encrypt: z.unknown() });

/**
 * Puts the content of `passphraseFile` and `keyFile` in their place, hidden. What has another form is left as it is:
 * the schema tells what is wrong with it.
 * @param storage the job file's `storage`
 */
export async function inlineStorageSecrets(storage: unknown, readText: ReadText): Promise<unknown> {
  const full = withLuksSchema.safeParse(storage);
  if (full.success) {
    const luks = full.data.luks.map((volume, index) => inlineUnlock(volume, `storage.luks.${index}`, readText));
    return { ...full.data, luks: await Promise.all(luks) };
  }
  const preset = withEncryptSchema.safeParse(storage);
  if (!preset.success || preset.data.encrypt === undefined) return storage;
  return { ...preset.data, encrypt: await inlineUnlock(preset.data.encrypt, "storage.encrypt", readText) };
}

async function inlineUnlock(value: unknown, field: string, readText: ReadText): Promise<unknown> {
  const unlock = unlockSchema.safeParse(value);
  if (!unlock.success) return value;
  const { passphraseFile, keyFile, ...rest } = unlock.data;
  return {
    ...rest,
    // An editor ends the file with a line break that nobody types at a console.
    ...(passphraseFile !== undefined && {
      passphrase: new Secret((await readText(passphraseFile, `${field}.passphraseFile`)).replace(/\r?\n$/, "")),
    }),
    ...(keyFile !== undefined && { key: new Secret(await readText(keyFile, `${field}.keyFile`)) }),
  };
}
