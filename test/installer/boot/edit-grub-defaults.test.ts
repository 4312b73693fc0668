import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { run } from "../../../common/run.ts";
import { editGrubDefaults } from "../../../installer/boot/edit-grub-defaults.ts";

/** As in a cloud image of Red Hat Enterprise Linux 9. */
const vendor = `GRUB_TIMEOUT=1
GRUB_TIMEOUT_STYLE=countdown
GRUB_DEFAULT=saved
GRUB_DISABLE_SUBMENU=true
GRUB_TERMINAL_OUTPUT="console"
GRUB_CMDLINE_LINUX="console=tty0 console=ttyS0,115200n8 net.ifnames=0 rd.lvm.lv=rhel/root crashkernel=1G-4G:192M"
GRUB_DISABLE_RECOVERY="true"
GRUB_ENABLE_BLSCFG=true
`;

/** What a shell makes of it, as grub-mkconfig does. */
async function source(text: string, name: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "grub-defaults-"));
  try {
    await writeFile(join(directory, "grub"), text);
    const script = `. ./grub; printf %s "$${name}"`;
    return (await run("sh", ["-euc", script], { doing: "sourcing", cwd: directory })).stdout;
  } finally {
    await rm(directory, { recursive: true });
  }
}

describe("what a shell reads afterwards", () => {
  const added = ["rd.md.uuid=1:2:3:4", "console=ttyS1,115200"];

  test("the vendor's arguments without the vendor's disk, then ours", async () => {
    const edited = editGrubDefaults(vendor, { GRUB_TERMINAL: "console serial" }, added);
    expect(await source(edited, "GRUB_CMDLINE_LINUX")).toBe(
      `console=tty0 console=ttyS0,115200n8 net.ifnames=0 crashkernel=1G-4G:192M ${added.join(" ")}`,
    );
    expect(await source(edited, "GRUB_TERMINAL")).toBe("console serial");
    expect(await source(edited, "GRUB_DEFAULT")).toBe("saved");
    expect(edited.match(/^GRUB_CMDLINE_LINUX=/gm)).toHaveLength(1);
    expect(editGrubDefaults(edited, { GRUB_TERMINAL: "console serial" }, added)).toBe(edited);
  });

  test("a console that came last comes before ours", async () => {
    const edited = editGrubDefaults(`GRUB_CMDLINE_LINUX_DEFAULT='quiet root=/dev/vda1 console=tty1'\n`, {}, added);
    expect(await source(edited, "GRUB_CMDLINE_LINUX_DEFAULT")).toBe("quiet");
    expect(await source(edited, "GRUB_CMDLINE_LINUX")).toBe(`console=tty1 ${added.join(" ")}`);
  });

  test.each([
    ["nothing at all", ""],
    ["bare", "GRUB_CMDLINE_LINUX=quiet # a word\n"],
    ["single quotes", "GRUB_CMDLINE_LINUX='quiet'\n"],
    ["twice, the last counts", 'GRUB_CMDLINE_LINUX="splash"\nexport GRUB_CMDLINE_LINUX="quiet"\n'],
    ["an escaped quotation mark", 'GRUB_CMDLINE_LINUX="quiet dyndbg=\\"file x +p\\""\n'],
  ])("%s", async (_name, text) => {
    const before = text === "" ? "" : await source(text, "GRUB_CMDLINE_LINUX");
    expect(await source(editGrubDefaults(text, {}, added), "GRUB_CMDLINE_LINUX")).toBe(
      [before, ...added].filter(Boolean).join(" "),
    );
  });
});

test.each(['GRUB_CMDLINE_LINUX="$(cat /proc/cmdline)"', "GRUB_CMDLINE_LINUX=$OTHER", 'GRUB_CMDLINE_LINUX="open'])(
  "what only a shell could tell is refused: %s",
  (line) => {
    expect(() => editGrubDefaults(`${line}\n`, {}, ["quiet"])).toThrow(/GRUB_CMDLINE_LINUX is not a plain text/);
  },
);
