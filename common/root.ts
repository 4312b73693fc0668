import { Failure } from "./failure.ts";

/**
 * @param doing what needs root, for the message: "installing"
 * @throws Failure `not-root` (configuration)
 */
export function checkRoot(doing: string): void {
  if (process.geteuid?.() === 0) return;
  throw new Failure({
    code: "not-root",
    kind: "configuration",
    message: `${doing}: only root may do this`,
    hint: "run it with sudo",
  });
}
