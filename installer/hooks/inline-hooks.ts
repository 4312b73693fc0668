import { z } from "zod";

const hookFileSchema = z.union([
  z.string().transform((script): { script: string } & Record<string, unknown> => ({ script })),
  z.looseObject({ script: z.string() }),
]);

/**
 * Puts the content of scripts in the place of their paths, and one hook for itself into a list. What has another form is
 * left as it is: the schema tells what is wrong with it.
 * @param hooks the job file's `hooks`
 * @param readText reads a file that the job names; `what` is the field, for messages
 */
export async function inlineHooks(
  hooks: unknown,
  readText: (path: string, what: string) => Promise<string>,
): Promise<unknown> {
  const points = z.record(z.string(), z.unknown()).safeParse(hooks);
  if (!points.success) return hooks;
  const inlined = Object.entries(points.data).map(async ([point, value]) => {
    const list = Array.isArray(value) ? value : [value];
    return [point, await Promise.all(list.map((hook) => inlineHook(hook, `hooks.${point}`, readText)))] as const;
  });
  return Object.fromEntries(await Promise.all(inlined));
}

async function inlineHook(
  value: unknown,
  field: string,
  readText: (path: string, what: string) => Promise<string>,
): Promise<unknown> {
  const hook = hookFileSchema.safeParse(value);
  if (!hook.success) return value;
  const { script, ...rest } = hook.data;
  return { ...rest, name: script, content: await readText(script, field) };
}
