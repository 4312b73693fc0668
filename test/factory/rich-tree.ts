import { chown, link, lutimes, mkdir, open, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../common/run.ts";

/** Seconds since 1970: what is later is set back to this. */
export const latestTime = 1_700_000_000;

type Step = () => Promise<unknown>;

/**
 * Makes a tree with everything that GNU tar can keep, with the steps in any order.
 * @param root must not exist
 */
export async function makeRichTree(root: string, order: (steps: Step[]) => Step[] = (steps) => steps): Promise<void> {
  const path = (...parts: string[]) => join(root, ...parts);
  const bytes = (text: string) => Buffer.from(text, "latin1");
  await mkdir(path("usr/bin"), { recursive: true });
  await mkdir(path("a/b"), { recursive: true });
  await mkdir(path("a-b"));
  const steps: Step[] = [
    () => writeFile(path("usr/bin/ping"), "program"),
    () => writeFile(path("usr/bin/sudo"), "program", { mode: 0o4755 }),
    () => writeFile(path("first"), "linked"),
    () => writeFile(path("a/b/-leading-dash"), ""),
    () => writeFile(path("a/b/new\nline"), "x"),
    () => writeFile(path("n".repeat(255)), "long"),
    () => writeFile(Buffer.concat([bytes(root), bytes("/not-utf8-\xff\xfe")]), "bytes"),
    () => writeFile(path("ends-in-zeros"), Buffer.alloc(3 * 512)),
    () => symlink("nowhere", path("link")),
    () => symlink("../../first", path("a/b/link-out-of-here")),
    () => symlink("/usr/bin/ping", path("a/absolute-link")),
    () => symlink("/usr/bin", path("a-b/absolute-link")),
    () => run("mkfifo", [path("fifo")], { doing: "making a fifo" }),
    () => run("mknod", [path("device"), "c", "1", "3"], { doing: "making a device" }),
    () => run("mknod", [path("block-device"), "b", "7", "300000"], { doing: "making a device" }),
    () => writeSparse(path("sparse")),
    ...Array.from({ length: 12 }, (_, index) => () => writeFile(path(`a/data-${index}`), Buffer.alloc(100_000, index))),
  ];
  for (const step of order(steps)) await step();
  await chown(path("usr/bin/ping"), 2 ** 21 + 5, 2 ** 31);
  await setAttributes(root, order);
  await link(path("first"), path("zz-last"));
  for (const file of ["first", "a/b", "a-b", "a", "usr/bin", "usr"])
    await utimes(path(file), 1_600_000_000, 1_600_000_000.25);
  await utimes(path("sparse"), 4_200_000_000, 1_500_000_000);
  await utimes(path("usr/bin/sudo"), 1, 4_200_000_000.5);
  await utimes(path("a/data-3"), 1, -1_000_000_000);
  await utimes(path("fifo"), 1, 2);
  await lutimes(path("link"), 5, 6);
}

/** As SELinux writes it: with the zero behind the text. */
const label = (text: string) => `0x${Buffer.from(`${text}\0`).toString("hex")}`;

async function setAttributes(root: string, order: (steps: Step[]) => Step[]): Promise<void> {
  const sets: [program: string, args: string[], path: string][] = [
    ["setcap", ["cap_net_raw+ep"], "usr/bin/ping"],
    ["setfattr", ["-n", "security.selinux", "-v", label("system_u:object_r:bin_t:s0")], "usr/bin/ping"],
    ["setfattr", ["-n", "security.selinux", "-v", label("system_u:object_r:usr_t:s0")], "usr"],
    ["setfattr", ["-n", "user.binary", "-v", "0x00ff0a"], "first"],
    ["setfattr", ["-n", "user.another", "-v", "text"], "first"],
    ["setfattr", ["-n", `user.${"l".repeat(240)}`, "-v", `0x${"00ff".repeat(900)}`], "a/data-2"],
    ["setfattr", ["-n", "trusted.overlay.opaque", "-v", "y"], "a/b"],
    ["setfacl", ["-m", "u:12345:rw"], "a/data-1"],
    ["setfacl", ["-d", "-m", "g:54321:rx"], "a/b"],
  ];
  const steps = sets.map(([program, args, path]): Step => {
    return () => run(program, [...args, join(root, path)], { doing: `setting what ${path} carries` });
  });
  for (const step of order(steps)) await step();
}

async function writeSparse(path: string): Promise<void> {
  await using file = await open(path, "w");
  await file.truncate(8 * 2 ** 20);
  await file.write(Buffer.from("in the middle"), 0, 13, 5 * 2 ** 20);
}

/** What tar is to keep of every path, for comparison. Times beyond `latest` are taken for it. */
export async function describeTree(root: string, latest = latestTime): Promise<string> {
  const format = "%P %y %m %U %G %s %l %n %T@\\n";
  const found = await run("find", [root, "-printf", format], { doing: "listing", env: { LC_ALL: "C" } });
  const attributes = await run("getfattr", ["-R", "-h", "-d", "-m", "-", "-e", "hex", "."], {
    doing: "listing",
    cwd: root,
  });
  const lines = found.stdout.replaceAll(/-?\d+\.\d+$/gm, (time) =>
    Number(time) > latest ? `${latest}.0000000000` : time,
  );
  // Devices' numbers, which find does not tell.
  const devices = await run("find", [root, "-type", "b,c", "-exec", "stat", "-c", "%n %Hr:%Lr", "{}", "+"], {
    doing: "listing devices",
  });
  const numbers = devices.stdout.replaceAll(root, "");
  return [...lines.split("\n"), ...attributes.stdout.split("\n\n"), ...numbers.split("\n")].sort().join("\n");
}

/** Content and links, and what `describeTree` describes. */
export async function compareTrees(found: string, expected: string): Promise<void> {
  const special = ["fifo", "device", "block-device"].flatMap((name) => ["-x", name]);
  await run("diff", ["-r", "--no-dereference", ...special, expected, found], { doing: "comparing" });
}
