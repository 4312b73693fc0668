import type { ShellVariables } from "./shell-variables.ts";

/** The boot menu speaks where the kernel does: a serial console gets GRUB's menu too. */
export function menuSettings(kernelArguments: readonly string[]): ShellVariables {
  const console = kernelArguments.findLast((word) => word.startsWith("console=ttyS")) ?? "";
  const serial = /^console=ttyS(\d)(?:,(\d+))?/.exec(console);
  return {
    GRUB_DISABLE_OS_PROBER: "true",
    ...(serial && {
      GRUB_TERMINAL: "console serial",
      GRUB_SERIAL_COMMAND: `serial --unit=${serial[1]} --speed=${serial[2] ?? "9600"}`,
    }),
  };
}

/**
 * A file of /etc/default/grub.d. It adds to what the vendor set, since these files are read in order and the last
 * `console=` is the one that counts.
 */
export function grubDefaults(kernelArguments: readonly string[]): string {
  const words =
    kernelArguments.length > 0 ? { GRUB_CMDLINE_LINUX: `$GRUB_CMDLINE_LINUX ${kernelArguments.join(" ")}` } : {};
  return Object.entries({ ...words, ...menuSettings(kernelArguments) })
    .map(([name, value]) => `${name}="${value}"\n`)
    .join("");
}
