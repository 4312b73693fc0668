import { run } from "../../common/run.ts";

/** The rescue system is Debian 12's, whatever is installed from it. */
export type DebianRelease = "bookworm" | "trixie" | "forky";

export interface RootFileSystem {
  release: DebianRelease;
  /** Where the tree is made; must not exist. */
  directory: string;
  /** mmdebstrap's name for the set of packages to start from. */
  variant: "minbase" | "important";
  packages: readonly string[];
  /** Shell commands run outside the tree, which is "$1". */
  hooks?: readonly string[];
  env?: Record<string, string>;
  onLine?: (line: string) => void;
}

/**
 * A Debian root file system from the mirror that this machine's own apt uses. Takes one to two minutes. What is mounted
 * in it meanwhile is seen by the builder alone: a killed one leaves a plain directory.
 */
export async function buildRootFileSystem(system: RootFileSystem): Promise<void> {
  const { release, directory, variant, packages, hooks = [], env, onLine } = system;
  const settings = await aptSettings();
  await run(
    "unshare",
    [
      ...["--mount", "--propagation", "private", "mmdebstrap"],
      "--mode=root",
      "--format=directory",
      `--variant=${variant}`,
      "--dpkgopt=force-unsafe-io",
      ...settings.map((setting) => `--aptopt=${setting}`),
      `--include=${packages.join(",")}`,
      ...hooks.map((hook) => `--customize-hook=${hook}`),
      '--customize-hook=rm -f "$1/etc/apt/apt.conf.d/99mmdebstrap" "$1/etc/dpkg/dpkg.cfg.d/99mmdebstrap"',
      release,
      directory,
      ...(await aptSources(release)),
    ],
    { doing: `building a ${release} root file system`, ...(env && { env }), ...(onLine && { onLine }) },
  );
}

/** The release's part of the Debian archives that the machine has its own packages from, as sources.list(5) has it. */
async function aptSources(release: DebianRelease): Promise<string[]> {
  const { stdout } = await run(
    "apt-get",
    ["indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"],
    { doing: "reading the machine's package sources" },
  );
  const entries = stdout.split("\n").flatMap((line) => {
    const [uri, suite, component] = line.split(" ");
    const pocket = /^bookworm(|-updates|-security)$/.exec(suite ?? "")?.[1];
    return pocket !== undefined && component === "main" ? [`deb ${uri} ${release}${pocket} main`] : [];
  });
  return [...new Set(entries)];
}

/** How this machine's apt reaches its mirror; mmdebstrap reads none of it by itself. */
async function aptSettings(): Promise<string[]> {
  const names = ["Acquire::http::Proxy", "Acquire::https::Proxy", "Acquire::Check-Valid-Until", "Acquire::Check-Date"];
  const { stdout } = await run("apt-config", ["dump", "--no-empty", "--format", '%F "%v";%n', ...names], {
    doing: "reading the machine's apt configuration",
  });
  return stdout.split("\n").filter((line) => line !== "");
}
