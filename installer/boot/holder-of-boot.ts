import type { Filesystem } from "../storage/filesystem.ts";
import type { Layout } from "../storage/layout.ts";

/** The file system that /boot is in: one of its own, or that of /. */
export function holderOfBoot({ filesystems }: Pick<Layout, "filesystems">): Filesystem {
  const at = (point: string) => filesystems.find(({ mountPoint }) => mountPoint === point);
  const holder = at("/boot") ?? at("/");
  if (!holder) throw new Error("the layout has no root file system");
  return holder;
}
