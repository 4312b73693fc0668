import { copyFile, mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { run } from "../../common/run.ts";
import { runFenced } from "../../installer/boot/fence.ts";
import { targetDirectory } from "../../installer/target-directory.ts";

/**
 * Runs in the rescue system, on two disks: the first one holds a target on LVM on an array, with the rescue system's own
 * programs for an image. Behind the fence they may ask what stands on what, and change nothing of it.
 */
const doing = "making a target";
const target = targetDirectory;
const programs = ["sh", "mknod", "dmsetup", "lvm", "mdadm", "dmesg", "cat"];
const devices = ["/dev/sda", "/dev/md/root", "/dev/system/root", "/dev/mapper/control"];

await run("mdadm", ["--create", "/dev/md/root", "--run", "--force", "--level=1", "--raid-devices=1", "/dev/sda"], {
  doing,
});
await run("vgcreate", ["system", "/dev/md/root"], { doing });
await run("lvcreate", ["--yes", "--name=root", "--size=256M", "system"], { doing });
await run("mkfs.ext4", ["-q", "/dev/system/root"], { doing });
await mkdir(target, { recursive: true });
await run("mount", ["/dev/system/root", target], { doing });
for (const program of programs) {
  const { stdout } = await run("sh", ["-c", `command -v ${program}`], { doing });
  const libraries = await run("ldd", [stdout], { doing, accept: [0, 1] });
  for (const file of [stdout, ...[...libraries.stdout.matchAll(/(\/\S+) \(0x/g)].flatMap(([, path]) => path ?? [])]) {
    await mkdir(dirname(`${target}${file}`), { recursive: true });
    await copyFile(file, `${target}${file}`);
  }
}

await attempt("tables", "dmsetup", "table");
await attempt("volumes", "lvm", "lvs", "--noheadings", "--options=lv_name");
await attempt("array", "mdadm", "--detail", "--export", "/dev/md/root");
await attempt("mapping", "dmsetup", "create", "evil", "--table", "0 8 linear 8:16 0");
await attempt("other table", "dmsetup", "reload", "system-root", "--table", "0 8 linear 8:16 0");
await attempt("removal", "dmsetup", "remove", "--force", "system-root");
await attempt("volume", "lvm", "lvcreate", "--yes", "--name=evil", "--size=4M", "system");
await attempt("node", "mknod", "/sdb", "b", "8", "16");
await attempt("log", "dmesg");
await attempt("command line", "cat", "/proc/cmdline");
await attempt("alone", "sh", "-c", "echo /proc/[0-9]* /dev/sd*");

async function attempt(what: string, ...command: [string, ...string[]]): Promise<void> {
  const tell = (line: string) => process.stdout.write(`${what}: ${line.trim()}\n`);
  await runFenced({ target, devices, command }, { doing: what, onLine: tell }).then(
    () => tell("done"),
    (error: unknown) => tell(error instanceof Error && "code" in error ? String(error.code) : String(error)),
  );
}
