import { type RunOptions, run } from "../../common/run.ts";
import type { Command, Step } from "../step.ts";

type Encrypt = Extract<Step, { kind: "encrypt" }>;

/** Both read the passphrase or key from standard input: cryptsetup(8), `--key-file -`. */
export function encryptCommands({ device, mapping, uuid }: Encrypt): Command[] {
  const format = ["luksFormat", "--batch-mode", "--type", "luks2", "--uuid", uuid, "--key-file", "-", device];
  return [
    ["cryptsetup", ...format],
    ["cryptsetup", "open", "--type", "luks2", "--key-file", "-", device, mapping],
    ["udevadm", "wait", "--settle", "--timeout=60", `/dev/mapper/${mapping}`],
    ["wipefs", "--all", "--force", "--quiet", `/dev/mapper/${mapping}`],
  ];
}

/** Makes a LUKS2 volume and opens it. @throws Failure `command-failed` */
export async function openEncrypted(step: Encrypt, options: RunOptions): Promise<void> {
  for (const [program, ...args] of encryptCommands(step)) {
    await run(program, args, program === "cryptsetup" ? { ...options, input: step.secret.reveal() } : options);
  }
}
