import { InvalidArgumentError, Option } from "commander";
import { type Arch, archSchema } from "../manifest.ts";
import type { SyncFilter } from "./select-versions.ts";

export interface FilterFlags {
  image?: string[];
  arch?: Arch[];
  channel?: string[];
  newest?: string;
}

/** The options that choose versions, each of which but the last may be given several times. */
export function filterOptions(): Option[] {
  return [
    several(new Option("--image <name>", "only this image; may be given several times")),
    several(new Option("--arch <name>", "only this architecture; may be given several times"), archSchema.options),
    several(new Option("--channel <name>", "only versions that this channel names; may be given several times")),
    new Option("--newest <number>", "only so many of the newest versions, and those that a channel names"),
  ];
}

export function filterOf({ image, arch, channel, newest }: FilterFlags): SyncFilter {
  return {
    ...(image && { images: image }),
    ...(arch && { archs: arch }),
    ...(channel && { channels: channel }),
    ...(newest !== undefined && { newest: Number(newest) }),
  };
}

function several(option: Option, choices?: readonly string[]): Option {
  return option.argParser((value: string, former: string[] = []) => {
    if (choices && !choices.includes(value)) throw new InvalidArgumentError(`expected one of ${choices.join(", ")}`);
    return [...former, value];
  });
}
