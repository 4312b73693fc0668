import type { Advance } from "../common/event.ts";
import { run } from "../common/run.ts";
import type { Step } from "./step.ts";
import { keepEverything } from "./tar-arguments.ts";

/**
 * Copies an opened image's tree into the mounted target, with all that a root file system can carry. Where the target is
 * several file systems, paths that link to one file become files of their own: they may come to lie on different ones.
 */
export async function layTree(
  { tree, target, unpackedBytes, isDivided }: Extract<Step, { kind: "lay-tree" }>,
  advance: Advance,
  signal: AbortSignal,
): Promise<void> {
  const options = { doing: `copying ${tree}`, signal };
  const links = isDivided ? ["--hard-dereference"] : [];
  const create = ["--create", "--file=-", "--sparse", ...links, ...keepEverything, `--directory=${tree}`, "."];
  await run("tar", create, {
    ...options,
    consume: async (stdout) => {
      const input = counted(stdout, (bytes) => advance(bytes, unpackedBytes));
      const extract = ["--extract", "--file=-", "--same-permissions", ...keepEverything, `--directory=${target}`];
      await run("tar", extract, { ...options, input });
    },
  });
}

async function* counted(bytes: AsyncIterable<Uint8Array>, onBytes: (total: number) => void) {
  let total = 0;
  for await (const chunk of bytes) {
    total += chunk.length;
    onBytes(total);
    yield chunk;
  }
}
