#!/usr/bin/env node
import { Command } from "commander";
import { addGlobalOptions, runCommandLine } from "./common/command-line.ts";
import { eventSchema } from "./common/event.ts";
import { addSchemaCommand } from "./common/schema-command.ts";
import { addFactoryCommands } from "./factory/commands.ts";
import { openOwnImage } from "./factory/own-image.ts";
import { addInstallerCommands } from "./installer/commands.ts";
import { addPhoneHomeCommands } from "./installer/phone-home/commands.ts";
import { addQualifyCommand } from "./installer/qualify/command.ts";
import { addMirrorCommands } from "./mirror/commands.ts";
import { manifestSchema } from "./mirror/manifest.ts";
import { qualificationReportSchema } from "./mirror/qualification/report.ts";
import { addTrustCommands } from "./mirror/trust/commands.ts";

const program = addGlobalOptions(new Command("metalcast"))
  .description("Cast cloud images onto bare metal")
  .version("0.1.0")
  .addHelpText(
    "before",
    `Examples:
  metalcast build debian-12 --output ./out        vendor image -> published image
  metalcast mirror init s3://images --keys ./keys --passphrase-file ./passphrase
  metalcast publish ./out --to s3://images --keys ./keys
  metalcast plan job.yaml                         what would happen on this server
  metalcast install job.yaml                      do it: wipes the disks
  metalcast phone-home serve --state ./servers    hear from the installed servers
`,
  );

addFactoryCommands(program);
addMirrorCommands(program);
addTrustCommands(program);
addInstallerCommands(program, { openOwnImage });
addPhoneHomeCommands(program);
addQualifyCommand(program);
addSchemaCommand(program, { event: eventSchema, manifest: manifestSchema, report: qualificationReportSchema });

process.exitCode = await runCommandLine(program, process.argv.slice(2));
