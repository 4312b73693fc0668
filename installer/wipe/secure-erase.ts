import { z } from "zod";

/** How a drive erases itself, or why it can't. */
export type SecureErase =
  | { way: "nvme-format" | "ata-erase" | "ata-enhanced-erase" | "secure-discard" }
  | { obstacle: string };

const controllerSchema = z.object({ oacs: z.number().int(), fna: z.number().int() });

/**
 * Reads `nvme id-ctrl --output-format=json`: NVM Express Base Specification, Identify Controller. OACS bit 1 is Format
 * NVM; FNA bits 0 and 1 say that formatting or erasing one namespace does it to all.
 * @param namespaces how many the controller has
 */
export function judgeNvme(output: string, namespaces: number): SecureErase {
  const { oacs, fna } = controllerSchema.parse(JSON.parse(output));
  if ((oacs & 0b10) === 0) return { obstacle: "its controller does not support Format NVM" };
  if ((fna & 0b11) !== 0 && namespaces > 1) {
    return { obstacle: `its controller erases all of its ${namespaces} namespaces at once` };
  }
  return { way: "nvme-format" };
}

/** Reads the section `Security:` of `hdparm -I`, whose lines are a fact or its negation: `not<TAB>frozen`. */
export function judgeAta(output: string): SecureErase {
  const section = /^Security:[^\n]*\n((?:[ \t]+[^\n]*\n?)*)/m.exec(output)?.[1] ?? "";
  const facts = section.split("\n").map((line) => line.trim().replaceAll(/\s+/g, " "));
  if (!facts.includes("supported")) return { obstacle: "it does not support ATA secure erase" };
  for (const state of ["frozen", "locked", "enabled"]) {
    if (facts.includes(`not ${state}`)) continue;
    return {
      obstacle: state === "enabled" ? "it is protected by an ATA password" : `its ATA security is ${state}`,
    };
  }
  return { way: facts.includes("supported: enhanced erase") ? "ata-enhanced-erase" : "ata-erase" };
}
