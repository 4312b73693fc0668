import { Argument, type Command } from "commander";
import { z } from "zod";
import { action } from "./command-line.ts";

/** The verb `schema`: the JSON Schema (draft 2020-12) of what others read. @param schemas by name */
export function addSchemaCommand(program: Command, schemas: Readonly<Record<string, z.ZodType>>): void {
  program
    .command("schema")
    .addArgument(new Argument("<name>", "of what").choices(Object.keys(schemas)))
    .description(`print the JSON Schema of ${Object.keys(schemas).join(", ")}`)
    .action(
      action(async ({ print }, _options, name) => {
        const schema = z.toJSONSchema(schemas[name] ?? z.never(), { io: "input" });
        print(schema, JSON.stringify(schema, undefined, 2));
      }),
    );
}
