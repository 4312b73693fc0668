import { Failure } from "../../common/failure.ts";
import { readText } from "../../common/tree-file.ts";
import type { Step } from "../step.ts";
import { writeFiles } from "../write-files.ts";
import { setVariables } from "./shell-variables.ts";

const path = "/etc/sysconfig/bootloader";

/**
 * SUSE's record of the boot loader. One that boots kernels from the ESP by its own entries (`grub2-bls`, `systemd-boot`)
 * cannot be had from an array or a disk's own file system, and is not installed here.
 * @throws Failure `loader-unknown` (failed)
 */
export async function writeLoaderType({ target, settings }: Extract<Step, { kind: "loader-type" }>): Promise<void> {
  const text = (await readText(target, path)) ?? "";
  const found = /^\s*LOADER_TYPE=["']?([\w-]*)/m.exec(text)?.[1] ?? "";
  if (["grub2-bls", "systemd-boot"].includes(found)) {
    throw new Failure({
      code: "loader-unknown",
      kind: "failed",
      message: `reading ${path}: the image boots by ${found}, which this installer cannot install`,
      hint: "use an image that boots by grub2 or grub2-efi",
    });
  }
  await writeFiles(target, [{ path, mode: 0o644, content: setVariables(text, settings) }]);
}
