const header = "# GRUB Environment Block\n";
const sizeBytes = 1024;

/** Reads a block as `grub-editenv` writes it: names and values, a line each, up to a fixed size. */
export function parseGrubEnvironment(text: string): Map<string, string> {
  const lines = text.split("\n").filter((line) => !line.startsWith("#") && line.includes("="));
  return new Map(
    lines.map((line) => {
      const middle = line.indexOf("=");
      return [line.slice(0, middle), line.slice(middle + 1).replace(/\\(.)/g, "$1")];
    }),
  );
}

/**
 * GRUB writes into the block where it lies on the disk, and so never makes it larger: it is filled up with `#`
 * (GRUB's manual, "Environment block").
 * @returns undefined where the variables need more room than there is
 */
export function formatGrubEnvironment(variables: ReadonlyMap<string, string>): string | undefined {
  const lines = [...variables].map(([name, value]) => `${name}=${value.replace(/[\\\n]/g, "\\$&")}\n`);
  const text = header + lines.join("");
  const length = Buffer.byteLength(text);
  return length > sizeBytes ? undefined : text + "#".repeat(sizeBytes - length);
}
