import { z } from "zod";
import { Failure } from "../common/failure.ts";

/** How the provisioning scripts reach the image: in a fenced chroot, in a virtual machine, in a cloud's server. */
export const customizeWaySchema = z.enum(["chroot", "qemu", "openstack"]);

export type CustomizeWay = z.infer<typeof customizeWaySchema>;

/** What runs a virtual machine's instructions; `auto` is KVM, and emulation where a boot under KVM does not succeed. */
export const acceleratorSchema = z.enum(["auto", "kvm", "tcg"]);

export type Accelerator = z.infer<typeof acceleratorSchema>;

const uuid = z.string().regex(/^[0-9a-f-]{36}$/, "expected a UUID");
const label = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9 ._-]*$/, "expected a name or identifier: letters, digits, blanks, ., _ and -");

/** Where in a cloud the server is made. Who may do so is known from clouds.yaml or OS_* variables. */
export const cloudServerSchema = z.strictObject({
  /** Name or identifier of the server's size. */
  flavor: label,
  /** Identifiers; none: the cloud decides. */
  networks: z.array(uuid).default([]),
  /** Name or identifier of the network that gives the server an address for the build; none: it has one by itself. */
  floatingIpNetwork: label.optional(),
  securityGroups: z.array(label).default([]),
  /** Default: as clouds.yaml or OS_REGION_NAME say. */
  region: z
    .string()
    .regex(/^[A-Za-z0-9._-]+$/, "expected a region's name")
    .optional(),
  /** Who Packer logs in as. */
  user: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]*$/, "expected a user's name")
    .default("root"),
});

export type CloudServer = z.infer<typeof cloudServerSchema>;

/** What the command line says, in its own words: every value is text. */
export interface CustomizeFlags {
  customize?: string;
  accelerator?: string;
  openstackFlavor?: string;
  openstackNetwork?: string[];
  openstackFloatingIpNetwork?: string;
  openstackSecurityGroup?: string[];
  openstackRegion?: string;
  openstackUser?: string;
}

export type CustomizeChoice =
  | { way: "chroot" }
  | { way: "qemu"; accelerator: Accelerator }
  | { way: "openstack"; server: CloudServer };

export const customizeChoiceSchema = z.discriminatedUnion("way", [
  z.strictObject({ way: z.literal("chroot") }),
  z.strictObject({ way: z.literal("qemu"), accelerator: acceleratorSchema.default("auto") }),
  z.strictObject({ way: z.literal("openstack"), server: cloudServerSchema }),
]);

/** Which flag stands for which field. */
const flagOf: Readonly<Record<string, string>> = {
  way: "--customize",
  accelerator: "--accelerator",
  "server.flavor": "--openstack-flavor",
  "server.networks": "--openstack-network",
  "server.floatingIpNetwork": "--openstack-floating-ip-network",
  "server.securityGroups": "--openstack-security-group",
  "server.region": "--openstack-region",
  "server.user": "--openstack-user",
};

/**
 * @returns how to customize: `chroot` where nothing is said
 * @throws Failure `customize-options-invalid` (usage) with every wrong flag, and those of another way than the chosen
 */
export function parseCustomizeFlags(flags: CustomizeFlags): CustomizeChoice {
  const server = withoutUndefined({
    flavor: flags.openstackFlavor,
    networks: flags.openstackNetwork,
    floatingIpNetwork: flags.openstackFloatingIpNetwork,
    securityGroups: flags.openstackSecurityGroup,
    region: flags.openstackRegion,
    user: flags.openstackUser,
  });
  const way = flags.customize ?? "chroot";
  const isServerWanted = way === "openstack" || Object.keys(server).length > 0;
  const result = customizeChoiceSchema.safeParse(
    withoutUndefined({ way, accelerator: flags.accelerator, server: isServerWanted ? server : undefined }),
  );
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => {
    if (issue.code === "unrecognized_keys") {
      return `${issue.keys.map((key) => (key === "server" ? "--openstack-*" : flagOf[key])).join(", ")} is not for the way ${way}`;
    }
    return `${flagOf[issue.path.slice(0, 2).join(".")] ?? "--customize"}: ${issue.message}`;
  });
  throw new Failure({
    code: "customize-options-invalid",
    kind: "usage",
    message: `reading how to customize: ${problems.join("; ")}`,
    hint: "see: metalcast build --help",
    data: { problems },
  });
}

function withoutUndefined(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
