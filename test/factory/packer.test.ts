import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { run } from "../../common/run.ts";
import { packerDirectory } from "../../factory/customize.ts";
import { PackerProgress, parsePackerLine } from "../../factory/packer.ts";

/** As Packer 1.6.6 wrote it. */
const failedBuild = [
  "1795416539,,ui,say,==> metal.null.chroot: Running local shell script: packer/scripts/debian/packages.sh",
  "1795416543,,ui,message,    metal.null.chroot: 0 upgraded%!(PACKER_COMMA) 35 newly installed.",
  "1795416566,,ui,say,==> metal.null.chroot: Running local shell script: packer/scripts/debian/leftovers.sh",
  "1795416567,,ui,error,==> metal.null.chroot: find: ‘/etc/default/grub’: No such file or directory",
  "1795416567,,ui,say,==> metal.null.chroot: Provisioning step had errors: Running the cleanup provisioner%!(PACKER_COMMA) if present...",
  "1795416567,,ui,error,Build 'metal.null.chroot' errored after 1 minute: Script exited with non-zero exit status: 1.",
  "1795416567,,error-count,1",
  "1795416567,metal.null.chroot,error,Script exited with non-zero exit status: 1.Allowed exit codes are: [0]",
];

describe("Packer's machine-readable output", () => {
  it("becomes scripts, their output and errors", () => {
    expect(failedBuild.map(parsePackerLine)).toEqual([
      { kind: "script", script: "packer/scripts/debian/packages.sh" },
      { kind: "output", text: "0 upgraded, 35 newly installed." },
      { kind: "script", script: "packer/scripts/debian/leftovers.sh" },
      { kind: "output", text: "find: ‘/etc/default/grub’: No such file or directory" },
      { kind: "other" },
      { kind: "other" },
      { kind: "other" },
      { kind: "error", text: "Script exited with non-zero exit status: 1.Allowed exit codes are: [0]" },
    ]);
  });

  it("makes an error with the failing script's own last lines", () => {
    const texts: string[] = [];
    const progress = new PackerProgress((text) => texts.push(text));
    failedBuild.forEach(progress.read);
    const failure = progress.failure(undefined);
    expect(failure).toMatchObject({ code: "customize-failed", kind: "failed" });
    expect(failure.message).toContain(
      "leftovers.sh failed: find: ‘/etc/default/grub’: No such file or directory | Script exited",
    );
    expect(failure.message).not.toContain("35 newly installed");
    expect(texts).toContain("0 upgraded, 35 newly installed.");
  });

  it("makes an error of what Packer itself has to say, where no script ran", () => {
    const progress = new PackerProgress(() => expect.unreachable());
    progress.read(String.raw`1795417994,,ui,error,Error: Unset variable "tree"\n\nA used variable must be set.\n\n`);
    expect(progress.failure(undefined).message).toContain(
      'packer failed: Error: Unset variable "tree" A used variable must be set.',
    );
  });

  it("never trips over a line", () => {
    fc.assert(fc.property(fc.string(), (line) => parsePackerLine(line).kind.length > 0));
  });
});

describe("the template", () => {
  const variables = (tree: string) => [
    `-var-file=${join(packerDirectory, "families/debian.pkrvars.hcl")}`,
    `-var=tree=${tree}`,
  ];

  it("is valid and formatted", async () => {
    await run("packer", ["validate", ...variables("/tree"), packerDirectory], { doing: "validating" });
    await run("packer", ["fmt", "-check", packerDirectory], { doing: "checking the format" });
  });

  it("refuses to work on this machine's own root", async () => {
    const { stdout } = await run("packer", ["validate", ...variables("/"), packerDirectory], {
      doing: "validating",
      accept: [1],
    });
    expect(stdout).toContain("The tree must be an absolute path other than the root directory");
  });
});
