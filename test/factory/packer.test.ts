import fc from "fast-check";
import { describe, expect, it } from "vitest";
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

/** As Packer 1.6.6 wrote it for a script over SSH, and for its tidying up after it. */
const failedGuest = [
  "1795563151,,ui,say,==> metal.openstack.guest: Connected to SSH!",
  "1795563151,,ui,say,==> metal.openstack.guest: Provisioning with shell script: /t/customize-7HAppF/packer/template/guest/arrive.sh",
  "1795563151,,ui,error,==> metal.openstack.guest: install: applet not found",
  "1795563151,,ui,say,==> metal.openstack.guest: Provisioning step had errors: Running the cleanup provisioner%!(PACKER_COMMA) if present...",
  "1795563151,,ui,say,==> metal.openstack.guest: Terminating the source server: c190d7b9-a549-4d77-aefe-d0f026617de5 ...",
  "1795563156,,ui,error,Build 'metal.openstack.guest' errored after 5 seconds 292 milliseconds: Script exited with non-zero exit status: 127.Allowed exit codes are: [0]",
  "1795563156,,ui,say,\\n==> Wait completed after 5 seconds 292 milliseconds",
  "1795563156,,error-count,1",
  "1795563156,,ui,error,\\n==> Some builds didn't complete successfully and had errors:",
  "1795563156,metal.openstack.guest,error,Script exited with non-zero exit status: 127.Allowed exit codes are: [0]",
  "1795563156,,ui,error,--> metal.openstack.guest: Script exited with non-zero exit status: 127.Allowed exit codes are: [0]",
];

describe("Packer's machine-readable output", () => {
  it("becomes scripts, their output and errors", () => {
    expect(failedBuild.map(parsePackerLine)).toEqual([
      { kind: "script", script: "packer/scripts/debian/packages.sh" },
      { kind: "output", text: "0 upgraded, 35 newly installed." },
      { kind: "script", script: "packer/scripts/debian/leftovers.sh" },
      { kind: "output", text: "find: ‘/etc/default/grub’: No such file or directory" },
      { kind: "step-failed" },
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

  it("tells of a script in a guest, without Packer's tidying up", () => {
    const texts: string[] = [];
    const progress = new PackerProgress((text) => texts.push(text));
    failedGuest.forEach(progress.read);
    expect(progress.failure(undefined)).toMatchObject({
      message: expect.stringMatching(/: guest\/arrive\.sh failed: install: applet not found \| Script exited .*: 127/),
      data: {
        script: "guest/arrive.sh",
        lastLines: ["install: applet not found", expect.stringContaining("exit status: 127")],
      },
    });
    expect(texts).toContain("Terminating the source server: c190d7b9-a549-4d77-aefe-d0f026617de5 ...");
  });

  it("makes an error of what Packer itself has to say, where no script ran", () => {
    const progress = new PackerProgress(() => expect.unreachable());
    progress.read(String.raw`1795417994,,ui,error,Error: Unset variable "tree"\n\nA used variable must be set.\n\n`);
    expect(progress.failure(undefined).message).toContain(
      'packer failed: Error: Unset variable "tree" A used variable must be set.',
    );
  });

  it("makes an error of Packer's own crash", () => {
    const progress = new PackerProgress(() => expect.unreachable());
    for (const line of ["panic: runtime error: invalid memory address", "", "goroutine 53 [running]:"])
      progress.read(line);
    expect(progress.failure(undefined).message).toContain(
      "packer failed: panic: runtime error: invalid memory address | goroutine 53 [running]:",
    );
  });

  it("never trips over a line", () => {
    const start = fc.constantFrom(
      "",
      "1,,ui,say,==> a.b.c: ",
      "1,,ui,error,",
      "1,a.b.c,error,",
      "1,,ui,message,    a.b.c: ",
    );
    fc.assert(fc.property(start, fc.string(), (before, line) => parsePackerLine(before + line).kind.length > 0));
  });

  it("gives a script's line as the script wrote it, commas and all", () => {
    const line = fc.string({ minLength: 1 }).filter((text) => /^\S(.*\S)?$/.test(text) && !/[\\%]/.test(text));
    fc.assert(
      fc.property(line, (text) => {
        const written = `1795416543,,ui,message,    metal.qemu.guest: ${text.replaceAll(",", "%!(PACKER_COMMA)")}`;
        expect(parsePackerLine(written)).toEqual({ kind: "output", text });
      }),
    );
  });
});
