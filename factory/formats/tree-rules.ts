import type { TarMember } from "./tar/member-reader.ts";

/** Why a member, or the whole archive, must not be unpacked as a root file system. */
export interface Objection {
  code: "archive-escape" | "archive-layer" | "archive-member-unknown" | "archive-not-root" | "archive-too-large";
  reason: string;
}

const maximumMembers = 4_000_000;
/** Linux, include/uapi/linux/limits.h, PATH_MAX. */
const maximumNameBytes = 4096;
/** A thousand times what a root file system has. */
const maximumLinkBytes = 64 * 2 ** 20;
/** Shown of an archive that is something else. */
const shownNames = 5;
/** Files, hard links, symbolic links, devices, directories, FIFOs, and GNU's old sparse files. */
const types = "0123456S";

/**
 * Whether an archive may be unpacked into an empty folder. GNU tar guards against most of this itself, by delaying
 * links that lead out, and yet has been led astray (CVE-2025-45582, CVE-2016-6321). Members of a root file system that
 * was archived from a disk never need any of it. Memory: the names of symbolic links, as far as 64 MiB.
 */
export class TreeRules {
  readonly #symbolicLinks = new Set<string>();
  readonly #topLevel = new Set<string>();
  #members = 0;
  #linkBytes = 0;

  /** @returns what speaks against this member, if anything */
  check(member: TarMember): Objection | undefined {
    const shown = JSON.stringify(member.name.slice(0, 200));
    this.#members += 1;
    if (this.#members > maximumMembers) {
      return { code: "archive-too-large", reason: `it has more than ${maximumMembers} members` };
    }
    if (!types.includes(member.type)) {
      return { code: "archive-member-unknown", reason: `${shown} is of type ${JSON.stringify(member.type)}` };
    }
    if (member.name.length > maximumNameBytes) {
      return { code: "archive-member-unknown", reason: `${shown}... is longer than a path can be` };
    }
    const path = this.#place(member.name);
    if (path === undefined) return { code: "archive-escape", reason: `${shown} leads out of the tree` };
    if (path.at(-1)?.startsWith(".wh.")) {
      return { code: "archive-layer", reason: `${shown} removes a file of a layer below` };
    }
    if (member.type === "1") {
      const target = this.#place(member.linkName);
      if (target === undefined || target.length === 0) {
        return { code: "archive-escape", reason: `${shown} is a hard link that leads out of the tree` };
      }
    }
    if (member.type === "2") {
      // The root itself, or a link without a target, which no file system holds.
      if (path.length === 0 || member.linkName === "") {
        return { code: "archive-escape", reason: `${shown} is a symbolic link in place of the tree, or to nothing` };
      }
      this.#linkBytes += member.name.length;
      if (this.#linkBytes > maximumLinkBytes) {
        return {
          code: "archive-too-large",
          reason: `its symbolic links' names take more than ${maximumLinkBytes} bytes`,
        };
      }
      this.#symbolicLinks.add(path.join("/"));
    }
    const [top] = path;
    if (top === "etc" || top === "usr" || (top !== undefined && this.#topLevel.size < shownNames))
      this.#topLevel.add(top);
    return undefined;
  }

  /** @returns what speaks against the whole */
  end(): Objection | undefined {
    if (this.#topLevel.has("etc") || this.#topLevel.has("usr")) return undefined;
    const found = [...this.#topLevel].join(", ");
    return {
      code: "archive-not-root",
      reason: `it has neither etc nor usr at its top${found ? `, but ${found}` : ""}`,
    };
  }

  /**
   * Where a name leads, in components. The root is no component.
   * @returns undefined for out of the tree: absolute, with `..`, or through a symbolic link of the archive
   */
  #place(name: string): string[] | undefined {
    if (name === "" || name.startsWith("/")) return undefined;
    const path = name.split("/").filter((component) => component !== "" && component !== ".");
    if (path.includes("..")) return undefined;
    for (let depth = 1; depth < path.length; depth += 1) {
      if (this.#symbolicLinks.has(path.slice(0, depth).join("/"))) return undefined;
    }
    return path;
  }
}
