import { z } from "zod";
import { imageNameSchema, imageVersionSchema, sha256Schema } from "../mirror/index.ts";
import type { PlannableImage } from "./plannable-image.ts";
import type { TargetFile } from "./step.ts";

/** On the installed server: which image it was installed from. */
export const installedImagePath = "/etc/metalcast/image.json";

export const installedImageSchema = z.looseObject({
  formatVersion: z.literal(1),
  name: imageNameSchema,
  version: imageVersionSchema,
  /** An image of the user's own has none. */
  manifestSha256: sha256Schema.optional(),
});

/** What `metalcast qualify` reads of it. */
export function imageFile({ facts, content }: PlannableImage): TargetFile {
  const { name, version } = facts;
  const told: z.infer<typeof installedImageSchema> = {
    formatVersion: 1,
    name,
    version,
    ...(content.kind === "published" && { manifestSha256: content.manifestSha256 }),
  };
  return { path: installedImagePath, mode: 0o644, content: `${JSON.stringify(told, undefined, 2)}\n` };
}
