import { z } from "zod";
import { oneLine, onFailureSchema, secretLine } from "./fields.ts";
import { rhsmSchema } from "./rhsm-settings.ts";

const ubuntuProSchema = z.strictObject({
  token: secretLine,
  /** Which services are enabled: default, those that the contract recommends. */
  services: z.array(z.string().regex(/^[a-z][a-z0-9-]*$/, "expected a service such as esm-infra")).optional(),
  onFailure: onFailureSchema,
});

const suseSchema = z.strictObject({
  registrationCode: secretLine,
  email: oneLine.optional(),
  /** Of a registration server of one's own. */
  url: z.url({ protocol: /^https?$/ }).optional(),
  onFailure: onFailureSchema,
});

export type UbuntuProSettings = z.infer<typeof ubuntuProSchema>;
export type SuseSettings = z.infer<typeof suseSchema>;

const kindsSchema = z
  .strictObject(
    { rhsm: rhsmSchema.optional(), ubuntuPro: ubuntuProSchema.optional(), suse: suseSchema.optional() },
    {
      error: (issue) => (issue.code === "invalid_type" ? "expected none, or one of rhsm, ubuntuPro, suse" : undefined),
    },
  )
  .refine((kinds) => Object.values(kinds).filter((settings) => settings !== undefined).length === 1, {
    error: "expected one of rhsm, ubuntuPro, suse",
  });

export type LicenseSettings = z.infer<typeof kindsSchema>;

/** The job's `license`. Not a union: it is to be told what is wrong with the one that is given. */
export const licenseSchema = z.unknown().transform((value, context): "none" | LicenseSettings => {
  if (value === "none") return value;
  const result = kindsSchema.safeParse(value);
  if (result.success) return result.data;
  for (const { path, message } of result.error.issues) context.addIssue({ code: "custom", path: [...path], message });
  return z.NEVER;
});
