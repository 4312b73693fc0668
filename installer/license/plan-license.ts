import { Failure } from "../../common/failure.ts";
import type { ImageFacts } from "../../mirror/index.ts";
import { findSecrets } from "../hide-secrets.ts";
import type { Job } from "../job.ts";
import type { Step, TargetFile } from "../step.ts";
import type { IniSettings } from "./ini.ts";
import type { License, LicenseName } from "./license.ts";
import { rhsm } from "./rhsm.ts";
import type { LicenseSettings } from "./settings.ts";
import { suse } from "./suse.ts";
import { ubuntuPro } from "./ubuntu-pro.ts";

/** What a license does for one job. */
interface Chosen extends Pick<License<never>, "title" | "suits" | "accepts"> {
  name: LicenseName;
  onFailure: "fail" | "continue";
  registration: (hostname: string) => ReturnType<License<never>["registration"]>;
  files: TargetFile[];
  edits: ReturnType<License<never>["edits"]>;
}

function choose(settings: LicenseSettings): Chosen | undefined {
  if (settings.rhsm) return bind("rhsm", rhsm, settings.rhsm);
  if (settings.ubuntuPro) return bind("ubuntuPro", ubuntuPro, settings.ubuntuPro);
  return settings.suse && bind("suse", suse, settings.suse);
}

function bind<Settings extends { onFailure: "fail" | "continue" }>(
  name: LicenseName,
  license: License<Settings>,
  settings: Settings,
): Chosen {
  return {
    name,
    title: license.title,
    suits: license.suits,
    accepts: license.accepts,
    onFailure: settings.onFailure,
    registration: (hostname) => license.registration(settings, hostname),
    files: license.files(settings),
    edits: license.edits(settings),
  };
}

/** @throws Failure `license-missing`, `license-unsuitable` (configuration) */
export function checkLicense({ license }: Pick<Job, "license">, image: ImageFacts): void {
  const subject = `${image.name}@${image.version}`;
  if (license === "none") return;
  const chosen = license && choose(license);
  if (!chosen && image.license === "none") return;
  if (!chosen) {
    throw new Failure({
      code: "license-missing",
      kind: "configuration",
      message: `${subject} needs a license (${image.license}) and the job gives none`,
      hint: "give one (docs/license.md), or write `license: none` to register the system later, by hand",
    });
  }
  if (chosen.accepts(image)) return;
  const needed = image.license === "none" ? "no license" : `a license (${image.license})`;
  throw new Failure({
    code: "license-unsuitable",
    kind: "configuration",
    message: `${subject} is ${image.osRelease.PRETTY_NAME ?? image.osRelease.NAME ?? image.family} and needs ${needed}; the job gives one of ${chosen.title}, which is for ${chosen.suits}`,
    hint: "leave `license` out of the job, or choose another image",
  });
}

/** Settings first, then the registration itself. Nothing where the job gives no license. */
export function licenseSteps({ license, instance }: Pick<Job, "license" | "instance">, target: string): Step[] {
  const chosen = license === undefined || license === "none" ? undefined : choose(license);
  if (!chosen) return [];
  const { name, title, edits, files, onFailure } = chosen;
  const settings: IniSettings = edits?.settings ?? {};
  const isEmpty = Object.values(settings).every((keys) => Object.keys(keys).length === 0);
  const registration = chosen.registration(instance.hostname);
  return [
    ...(!edits || isEmpty
      ? []
      : [
          {
            kind: "edit-ini" as const,
            name: "license-settings",
            title: `set ${edits.path} for ${title}`,
            target,
            ...edits,
          },
        ]),
    ...(files.length === 0
      ? []
      : [{ kind: "write-files" as const, name: "license-files", title: `write files for ${title}`, target, files }]),
    ...(registration
      ? [
          {
            kind: "register" as const,
            name: "register",
            title: `register with ${title}`,
            license: name,
            target,
            ...registration,
            onFailure,
            secrets: findSecrets(license),
          },
        ]
      : []),
  ];
}
