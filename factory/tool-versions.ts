import { release } from "node:os";
import { run } from "../common/run.ts";

/** The versions of what shapes a published image's bytes. */
export async function readToolVersions(): Promise<Record<string, string>> {
  const [packer, tar] = await Promise.all([firstLine("packer"), firstLine("tar")]);
  return { node: process.versions.node, zstd: process.versions.zstd ?? "", kernel: release(), packer, tar };
}

async function firstLine(program: string): Promise<string> {
  const { stdout } = await run(program, ["--version"], {
    doing: `asking ${program} for its version`,
    env: { CHECKPOINT_DISABLE: "1" },
  });
  return stdout.split("\n", 1)[0]?.trim() ?? "";
}
