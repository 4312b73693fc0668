import { z } from "zod";
import { oneLine, onFailureSchema, secretLine } from "./fields.ts";

const proxySchema = z.strictObject({
  /** Where it is: `http://proxy.example.net:3128`. */
  url: z.url({ protocol: /^http$/, error: "expected an address such as http://proxy.example.net:3128" }),
  user: oneLine.optional(),
  password: secretLine.optional(),
});

/** Where systems are registered, if not with Red Hat: a Satellite. */
const serverSchema = z.strictObject({
  hostname: z.string().regex(/^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/i, "expected a host name"),
  port: z.number().int().min(1).max(65535).optional(),
  prefix: z
    .string()
    .regex(/^\/[\w./-]*$/, "expected a path such as /rhsm")
    .optional(),
});

const fieldsSchema = z.strictObject({
  /** YAML takes one of digits for a number. */
  organization: z.union([oneLine, z.number().int().nonnegative().transform(String)]).optional(),
  activationKey: secretLine.optional(),
  username: oneLine.optional(),
  password: secretLine.optional(),
  /** Before the server is made bootable, or by cloud-init when it first runs. */
  when: z.enum(["installation", "first-boot"]).default("installation"),
  onFailure: onFailureSchema,
  proxy: proxySchema.optional(),
  server: serverSchema.optional(),
  /** Where packages come from, if not from Red Hat. */
  baseUrl: z.url({ protocol: /^https$/ }).optional(),
  /** Certificates in PEM, of a server that Red Hat's own do not vouch for. */
  ca: z
    .string()
    .regex(/^-----BEGIN CERTIFICATE-----$/m, "expected certificates in PEM")
    .optional(),
  systemPurpose: z
    .strictObject({ role: oneLine.optional(), serviceLevel: oneLine.optional(), usage: oneLine.optional() })
    .optional(),
});

/** Of a Red Hat system: with an organization's activation key, or as a user. */
export const rhsmSchema = fieldsSchema.superRefine((settings, context) => {
  const { organization, activationKey, username, password, when, proxy } = settings;
  const tell = (path: string[], message: string) => context.addIssue({ code: "custom", path, message });
  const byUser = username !== undefined || password !== undefined;
  if (activationKey && byUser) tell(["activationKey"], "expected an activation key or a user, not both");
  if (!activationKey && !byUser) tell(["activationKey"], "expected an activation key, or username and password");
  if (activationKey && organization === undefined) tell(["organization"], "expected the activation key's organization");
  if (byUser && username === undefined) tell(["username"], "expected the password's user");
  if (byUser && password === undefined) tell(["password"], "expected the user's password");
  if (proxy?.password && proxy.user === undefined) tell(["proxy", "user"], "expected the password's user");
  if (when !== "first-boot") return;
  // cc_rh_subscription.py, `rhn_register`: of a user it passes name and password alone.
  if (byUser && organization !== undefined) tell(["organization"], "cannot be told at the first boot, with a user");
  if (settings.onFailure === "continue") tell(["onFailure"], "nothing fails the installation at the first boot");
});

export type RhsmSettings = z.infer<typeof rhsmSchema>;
