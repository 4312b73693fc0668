import type { InstalledPackage } from "./installed-package.ts";

/**
 * Reads dpkg's database: paragraphs of fields, as in deb-control(5).
 * @param status the text of /var/lib/dpkg/status
 * @returns what is installed whole, in the order of the file
 */
export function parseDpkgStatus(status: string): InstalledPackage[] {
  return status.split(/\n(?:[ \t]*\n)+/).flatMap((paragraph) => {
    const fields = parseFields(paragraph);
    const name = fields.get("Package");
    const version = fields.get("Version");
    // dpkg-query(1): the state that is wanted, a flag, the state there is. A package on hold is installed too.
    if (!name || !version || !/^\S+ ok installed$/.test(fields.get("Status") ?? "")) return [];
    const arch = fields.get("Architecture");
    const source = fields.get("Source");
    const supplier = fields.get("Maintainer");
    return {
      format: "deb" as const,
      name,
      version,
      ...(arch && { arch }),
      ...(source && { source }),
      ...(supplier && { supplier }),
    };
  });
}

/** Lines that begin with a blank go on with the field before: none of the fields read here has any. */
function parseFields(paragraph: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of paragraph.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0 && !/^[ \t]/.test(line)) fields.set(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return fields;
}
