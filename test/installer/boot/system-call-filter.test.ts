import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { HostileImage } from "./hostile-image.ts";

let image: HostileImage;
beforeEach(async () => {
  image = await HostileImage.make();
});
afterEach(() => image[Symbol.asyncDispose]());

describe.each([false, true])("what would let it out, with CAP_SYS_ADMIN: %s", (administers) => {
  test("programs", async () => {
    const attempts = {
      "mount -t tmpfs x /mnt": /not permitted|permission denied/i,
      "mount -t devtmpfs x /mnt": /not permitted|permission denied/i,
      "mount -o remount,rw /proc": /not permitted|permission denied/i,
      "umount /proc/cmdline": /not permitted/i,
      "unshare -m true": /not permitted/i,
      "unshare -U true": /not permitted/i,
      "echo h >/proc/sysrq-trigger": /Read-only|nonexistent/,
      "echo 0 >/proc/sys/kernel/panic": /Read-only/,
      "swapon /usr/bin/busybox": /not permitted/i,
      "date -s @$(date +%s)": /not permitted/i,
    };
    const attempt = (command: string, index: number) => `(${command}) 2>&1 | perl -pe 's/^/${index}: /'`;
    const lines = await image.run(Object.keys(attempts).map(attempt).join("\n"), { administers });
    for (const [index, [command, refusal]] of Object.entries(attempts).entries()) {
      const said = lines.filter((line) => line.startsWith(`${index}: `)).join("\n");
      expect(said, command).toMatch(refusal);
    }
  });

  /** By number: capabilities refuse what the filter lets through, and the other way around. */
  const calls: [name: string, call: string, error: string][] = [
    ["pivot_root", 'my $d = "."; syscall(155, $d, $d)', "EPERM"],
    ["open_tree, cloned", 'my $d = "/"; syscall(428, -100, $d, 1)', "EPERM"],
    ["fsopen", 'my $t = "tmpfs"; syscall(430, $t, 0)', "EPERM"],
    ["mount_setattr", 'my $d = "/"; my $a = "\\0" x 32; syscall(442, -100, $d, 0, $a, 32)', "EPERM"],
    ["setns", 'open my $f, "<", "/proc/self/ns/mnt"; syscall(308, fileno $f, 0)', "EPERM"],
    ["clone into a user namespace", "syscall(56, 0x10000011, 0, 0, 0, 0)", "EPERM"],
    ["clone3", 'my $a = "\\0" x 64; syscall(435, $a, 64)', "ENOSYS"],
    ["open_by_handle_at", 'my $h = "\\0" x 24; syscall(304, -100, $h, 0)', "EPERM"],
    ["the session's keys", "syscall(250, 0, -3, 0)", "ENOSYS"],
    ["bpf", 'my $a = "\\0" x 64; syscall(321, 0, $a, 64)', "EPERM"],
    ["io_uring", 'my $a = "\\0" x 120; syscall(425, 1, $a)', "ENOSYS"],
    ["reboot", "syscall(169, 0xfee1dead, 672274793, 0, 0)", "EPERM"],
    ["x32 calls", "syscall(0x40000000 + 39)", "ENOSYS"],
    ["table_load of the device mapper", 'my $a = "\\0" x 312; syscall(16, 0, 0xc138fd09, $a)', "EPERM"],
    ["add_new_disk of md", 'my $a = "\\0" x 20; syscall(16, 0, 0x40140921, $a)', "EPERM"],
    ["admin_cmd of NVMe", 'my $a = "\\0" x 72; syscall(16, 0, 0xc0484e41, $a)', "EPERM"],
    ["table_status of the device mapper", 'my $a = "\\0" x 312; syscall(16, 0, 0xc138fd0c, $a)', "ENOTTY"],
    ["get_array_info of md", 'my $a = "\\0" x 72; syscall(16, 0, 0x80480911, $a)', "ENOTTY"],
  ];
  test("system calls", async () => {
    const errors = { EPERM: 1, ENOTTY: 25, ENOSYS: 38 };
    const script = calls.map(([, call]) => `{ ${call}; print $! + 0, "\\n" }`).join("\n");
    await image.put("calls", script);
    const lines = await image.run("perl /calls </dev/null", { administers });
    const numbers = Object.fromEntries(calls.map(([name], index) => [name, Number(lines[index])]));
    const expected = calls.map(([name, , error]) => [name, errors[error as keyof typeof errors]]);
    expect(numbers).toEqual(Object.fromEntries(expected));
  });
});
