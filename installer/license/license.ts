import type { FailureKind } from "../../common/failure.ts";
import type { Secret } from "../../common/secret.ts";
import type { ImageFacts } from "../../mirror/index.ts";
import type { Command, TargetFile } from "../step.ts";
import type { IniSettings } from "./ini.ts";

export type LicenseName = "rhsm" | "ubuntuPro" | "suse";

/** How the target's own program registers it. Of what is secret, only `input` has anything: the program's standard input. */
export interface Registration {
  command: Command;
  input: Secret;
  /** A file that a registered system has. */
  identity: string;
  /** Takes back what a registration has done, half or whole. */
  undo: Command;
}

/** One vendor's way to register a system. */
export interface License<Settings> {
  /** "Red Hat Subscription Management" */
  title: string;
  /** For which images it is, in words. */
  suits: string;
  accepts(image: ImageFacts): boolean;
  /** Before the server is made bootable; undefined where it is left to the first boot. */
  registration(settings: Settings, hostname: string): Registration | undefined;
  files(settings: Settings): TargetFile[];
  /** Settings in a file that the image has. */
  edits(settings: Settings): { path: string; mode: number; settings: IniSettings } | undefined;
  /** Why it failed: `retry` where the server could not be reached, `configuration` where it refused. */
  judge(exitCode: number | undefined, words: string): Extract<FailureKind, "configuration" | "retry" | "failed">;
}
