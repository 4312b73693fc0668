import { access, constants } from "node:fs/promises";
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { action } from "../common/command-line.ts";
import { Failure } from "../common/failure.ts";
import { formatSize } from "../common/units.ts";
import { build } from "./build.ts";
import { findImage, loadCatalog } from "./catalog.ts";
import type { RhsmSubscription } from "./customize-run.ts";
import { acceleratorSchema, type CustomizeFlags, customizeWaySchema, parseCustomizeFlags } from "./customize-way.ts";
import { describeBuild, outlineBuild } from "./describe-build.ts";
import { type ImageFormat, imageFormatSchema } from "./image-format.ts";
import { findOwnCatalog } from "./own-catalog.ts";
import { assertCanBuild } from "./requirements.ts";

interface BuildFlags extends CustomizeFlags {
  output: string;
  catalog?: string;
  source?: string;
  checksum?: string;
  format?: ImageFormat;
  imageVersion?: string;
  rhsmOrganization?: string;
  rhsmActivationKeyFile?: string;
  dryRun?: boolean;
}

const several = (value: string, before: string[] = []) => [...before, value];

/** `metalcast build`: a vendor's image becomes a published one, in a folder. */
export function addBuildCommand(program: Command): void {
  program
    .command("build <image>")
    .description("make a published image of a vendor's cloud image (as root)")
    .requiredOption("--output <directory>", "where the image is put; must not exist")
    .option("--catalog <directory>", "a folder of image files of your own")
    .option("--source <file>", "a vendor image on this machine, instead of a download")
    .option("--checksum <algorithm:digest>", "of --source: sha512:... or sha256:...")
    .addOption(
      new Option("--format <format>", "of --source; default: the catalog's").choices(imageFormatSchema.options),
    )
    .option("--image-version <version>", "such as 20261123.0; default: today's")
    .addOption(
      new Option("--customize <way>", "where the provisioning scripts run; default: chroot").choices(
        customizeWaySchema.options,
      ),
    )
    .addOption(
      new Option("--accelerator <kind>", "of --customize qemu; default: auto").choices(acceleratorSchema.options),
    )
    .option("--openstack-flavor <name>", "of --customize openstack: size of the server")
    .option("--openstack-network <uuid>", "network of the server; may be given several times", several)
    .option("--openstack-floating-ip-network <name>", "network that gives the server an address for the build")
    .option("--openstack-security-group <name>", "may be given several times", several)
    .option("--openstack-region <name>", "default: as clouds.yaml or OS_REGION_NAME say")
    .option("--openstack-user <name>", "who logs in; default: root")
    .option("--rhsm-organization <id>", "the Red Hat subscription that packages come from during the build")
    .option("--rhsm-activation-key-file <file>", "its activation key")
    .option("--dry-run", "say what would be built of what, after looking for all that a build needs here")
    .addHelpText(
      "before",
      `Examples:
  metalcast build debian-12 --output ./out
  metalcast build debian-12 --output ./out --source debian.ova --format ova --checksum sha256:9f86d0...
  metalcast build ubuntu-24.04 --output ./out --customize qemu
  metalcast build rhel-9 --output ./out --source rhel-9.qcow2 --checksum sha256:... \\
    --rhsm-organization 1234567 --rhsm-activation-key-file ./key
`,
    )
    .action(
      action<BuildFlags>(async ({ emit, print, signal }, flags, name) => {
        const customize = parseCustomizeFlags(flags);
        const rhsm = await readSubscription(flags);
        const image = findImage(await loadCatalog(await findOwnCatalog(flags.catalog)), name);
        const { output, source, checksum, format, imageVersion: version } = flags;
        const options = {
          ...{ image, output, customize, emit, signal },
          ...(source !== undefined && { source }),
          ...(checksum !== undefined && { checksum }),
          ...(format !== undefined && { format }),
          ...(version !== undefined && { version }),
          ...(rhsm && { rhsm }),
        };
        if (flags.dryRun) {
          await assertCanBuild(image, customize.way, format ?? image.format);
          const outline = outlineBuild(options);
          return print(outline, describeBuild(outline));
        }
        const { directory, manifest } = await build(options);
        const sizeBytes = manifest.files.reduce((sum, file) => sum + file.sizeBytes, 0);
        print(
          { directory, manifest },
          `${manifest.name}@${manifest.version} is in ${directory} (${formatSize(sizeBytes)})`,
        );
      }),
    );
}

/** @throws Failure `subscription-incomplete`, `activation-key-unreadable` (configuration) */
async function readSubscription(flags: BuildFlags): Promise<RhsmSubscription | undefined> {
  const { rhsmOrganization: organization, rhsmActivationKeyFile: activationKeyFile } = flags;
  if (organization === undefined && activationKeyFile === undefined) return undefined;
  if (organization === undefined || activationKeyFile === undefined) {
    throw new Failure({
      code: "subscription-incomplete",
      kind: "configuration",
      message: "reading the subscription: an organization and an activation key go together",
      hint: "give both --rhsm-organization and --rhsm-activation-key-file",
    });
  }
  await access(activationKeyFile, constants.R_OK).catch((cause: unknown) => {
    throw new Failure({
      code: "activation-key-unreadable",
      kind: "configuration",
      message: `reading the subscription: cannot read ${activationKeyFile}`,
      hint: "look at the path after --rhsm-activation-key-file",
      cause,
    });
  });
  return { organization, activationKeyFile: resolve(activationKeyFile) };
}
