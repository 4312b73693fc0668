import { resolveInRoot } from "../../common/rooted-path.ts";
import { Secret } from "../../common/secret.ts";
import { readText } from "../../common/tree-file.ts";
import type { Step } from "../step.ts";
import { writeFiles } from "../write-files.ts";
import { setIni } from "./ini.ts";

/** A link stays a link. The content may hold a password. */
export async function editIni({ target, path, mode, settings }: Extract<Step, { kind: "edit-ini" }>): Promise<void> {
  const content = new Secret(setIni((await readText(target, path)) ?? "", settings));
  const place = await resolveInRoot(target, path, "follow");
  await writeFiles(target, [{ path: place.slice(target.length), mode, content }]);
}
