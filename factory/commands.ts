import type { Command } from "commander";
import { addBuildCommand } from "./build-command.ts";
import { addConvertCommand } from "./convert-command.ts";
import { addImagesCommand } from "./images-command.ts";
import { addInspectCommand } from "./inspect-command.ts";
import { addNightlyCommand } from "./nightly-command.ts";

/** The verbs of the factory. */
export function addFactoryCommands(program: Command): void {
  addImagesCommand(program);
  addBuildCommand(program);
  addInspectCommand(program);
  addConvertCommand(program);
  addNightlyCommand(program);
}
