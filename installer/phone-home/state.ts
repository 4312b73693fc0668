import { open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { Failure } from "../../common/failure.ts";
import { serverSchema } from "./report.ts";

const entrySchema = serverSchema.extend({
  /** SHA-256 of the token, in hexadecimal. A token has 256 random bits, so a plain hash gives nothing away. */
  tokenSha256: z.string().regex(/^[0-9a-f]{64}$/),
});
const stateSchema = z.object({ version: z.literal(1), servers: z.array(entrySchema) });

export type StateEntry = z.infer<typeof entrySchema>;

/** The expected servers, in one file that is whole at any moment. One process at a time may use it. */
export interface PhoneHomeState {
  entries(): readonly StateEntry[];
  find(instanceId: string): StateEntry | undefined;
  /** Adds the entry or takes the place of the one with its id. It is on the disk when this returns. */
  put(entry: StateEntry): Promise<void>;
}

/**
 * Opens the file, or begins with none.
 * @throws Failure `phone-home-state-invalid` (integrity)
 */
export async function openState(file: string): Promise<PhoneHomeState> {
  let entries = new Map((await readEntries(file)).map((entry) => [entry.instanceId, entry]));
  let lastWrite: Promise<void> = Promise.resolve();
  return {
    entries: () => [...entries.values()],
    find: (instanceId) => entries.get(instanceId),
    put: (entry) => {
      // One write after the other; each is made from what the one before left, and counts only once it is on the disk.
      const write = lastWrite.then(async () => {
        const next = new Map(entries).set(entry.instanceId, entry);
        await replaceFile(file, JSON.stringify({ version: 1, servers: [...next.values()] }));
        entries = next;
      });
      lastWrite = write.catch(() => {});
      return write;
    },
  };
}

async function readEntries(file: string): Promise<StateEntry[]> {
  try {
    return stateSchema.parse(JSON.parse(await readFile(file, "utf8"))).servers;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw new Failure({
      code: "phone-home-state-invalid",
      kind: "integrity",
      message: `reading the expected servers: ${file} is not a phone-home state file`,
      hint: "restore the file from a backup, or name another one",
      cause: error,
    });
  }
}

/** fsync(2): the new name is safe only once its directory is. */
async function replaceFile(file: string, content: string): Promise<void> {
  const temporary = `${file}.new`;
  await writeAndSync(temporary, content);
  await rename(temporary, file);
  await using directory = await open(dirname(file));
  await directory.sync();
}

async function writeAndSync(file: string, content: string): Promise<void> {
  await using handle = await open(file, "w", 0o600);
  await handle.writeFile(content);
  await handle.sync();
}
