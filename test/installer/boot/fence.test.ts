import { mkdir, mkdtemp, open, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { run } from "../../../common/run.ts";
import { targetMounts } from "../../../installer/target-mounts.ts";
import { findProcesses, HostileImage } from "./hostile-image.ts";

/** An image that tries to get out, or to harm the machine that it is installed by. */
let image: HostileImage;
beforeEach(async () => {
  image = await HostileImage.make();
});
afterEach(() => image[Symbol.asyncDispose]());

const doing = "testing";

describe("what it sees", () => {
  test("is itself, whichever way it looks for a root directory", async () => {
    const twice = `mkdir "/tmp/x"; chroot "/tmp/x" or die; chdir ".." for 1..64; chroot "."; opendir D, "/"; print "$_ " for sort grep !/^\\./, readdir D`;
    const lines = await image.run(
      `echo $(ls /); echo $(ls /proc/1/root/); echo $(ls /../../..); perl -e '${twice}'; echo; echo $(ls /proc/1/cwd/)`,
    );
    const own = "bin dev etc lib lib64 mnt proc root run sys tmp usr";
    expect(lines.map((line) => line.trim())).toEqual([own, own, own, own, own]);
  });

  test("are no processes but its own, which have no terminal", async () => {
    const session = "perl -ne 'print +(split)[5], qq(\\n)' /proc/1/stat";
    const lines = await image.run(`echo /proc/[0-9]*; ${session}; cat /dev/tty 2>&1; true`);
    expect(lines).toEqual([
      expect.stringMatching(/^\/proc\/1( \/proc\/\d+)?$/),
      "1",
      expect.stringMatching(/can't open '\/dev\/tty'/),
    ]);
  });

  test("is none of our environment, of no process", async () => {
    process.env.AWS_SECRET_ACCESS_KEY = "do-not-leak";
    try {
      const lines = await image.run("env; cat /proc/*/environ | perl -pe 's/\\0/\\n/g'", { env: { GIVEN: "yes" } });
      expect(lines.join("\n")).not.toMatch(/do-not-leak|METALCAST|TARGET/);
      const names = new Set(lines.filter((line) => line.includes("=")).map((line) => line.split("=")[0]));
      const shells = ["PWD", "SHLVL"];
      const given = "DEBIAN_FRONTEND GIVEN HOME LC_ALL PATH PERL_BADLANG SYSTEMD_OFFLINE".split(" ");
      expect([...names].filter((name) => !shells.includes(name ?? "")).sort()).toEqual(given);
    } finally {
      delete process.env.AWS_SECRET_ACCESS_KEY;
    }
  });

  test("are harmless devices only", async () => {
    expect(await image.run("echo $(ls /dev)")).toEqual(["fd full null ptmx pts random shm tty urandom zero"]);
  });

  test("is neither this machine's command line, its name nor its kernel's log", async () => {
    const log = `my $text = "\\0" x 4096; print syscall(103, 3, $text, 4096)`;
    expect(await image.run(`cat /proc/cmdline; hostname; perl -e '${log}'`)).toEqual(["localhost", "-1"]);
  });

  test("is no network, unless it is to have one", async () => {
    const look = "echo $(ls /sys/class/net)";
    expect(await image.run(look)).toEqual(["lo"]);
    const { stdout } = await run("ls", ["/sys/class/net"], { doing });
    expect(await image.run(look, { network: true })).toEqual([stdout.split("\n").join(" ")]);
  });
});

describe("disks", () => {
  let directory: string;
  let own: string;
  let foreign: string;
  const sizeBytes = 2 ** 20;

  async function attach(name: string): Promise<string> {
    const file = join(directory, name);
    await writeFile(file, Buffer.alloc(sizeBytes));
    return (await run("losetup", ["--find", "--show", file], { doing })).stdout;
  }
  const content = async (device: string) => {
    await using handle = await open(device);
    return (await handle.read(Buffer.alloc(5), 0, 5, 0)).buffer.toString();
  };
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "disks-"));
    [own, foreign] = [await attach("own"), await attach("foreign")];
  });
  afterAll(async () => {
    for (const device of [own, foreign]) await run("losetup", ["--detach", device], { doing });
    await rm(directory, { recursive: true });
  });

  test("its own can be written to", async () => {
    await image.run(`printf hello | dd of=${own} conv=fsync`, { devices: [own] });
    expect(await content(own)).toBe("hello");
  });

  test("another can't: it makes no node, and one that the image brings opens nothing", async () => {
    const { rdev } = await stat(foreign);
    const number = [String((rdev >> 8) & 0xfff), String(rdev & 0xff)];
    await run("mknod", [join(image.path, "brought"), "b", ...number], { doing });
    await mkdir(join(image.path, "srv"));
    await run("mount", ["-t", "tmpfs", "srv", join(image.path, "srv")], { doing });
    await run("mknod", [join(image.path, "srv/brought"), "b", ...number], { doing });
    try {
      const places = ["/dev/made", "/tmp/made", "/brought", "/srv/brought"];
      for (const administers of [false, true]) {
        const lines = await image.run(
          [
            `mknod /dev/made b ${number.join(" ")}`,
            `mknod /tmp/made b ${number.join(" ")}`,
            ...places.map((place) => `[ ! -b ${place} ] || printf evil >${place}`),
            `ls ${foreign}`,
            "true",
          ].join("\n"),
          { devices: [own], administers },
        );
        expect(lines.filter((line) => /Operation not permitted/.test(line))).toHaveLength(2);
        expect(lines.filter((line) => /can't create \/(srv\/)?brought: Permission denied/.test(line))).toHaveLength(2);
        expect(lines.at(-1)).toMatch(/No such file/);
      }
    } finally {
      await run("umount", [join(image.path, "srv")], { doing });
    }
    expect(await content(foreign)).toBe("\0\0\0\0\0");
  });

  test("sysfs gives it no way to one", async () => {
    const name = foreign.replace("/dev/", "");
    for (const network of [false, true]) {
      const lines = await image.run(`echo 1 >/sys/block/${name}/queue/iostats; true`, { network });
      expect(lines.join()).toMatch(/Read-only file system/);
    }
  });
});

describe("what it leaves", () => {
  test("a daemon ends with the program, which does not wait for it", async () => {
    const mark = `daemon-${process.pid}`;
    const lines = await image.run(
      `setsid sh -c 'echo up; >/run/up; sleep 600; : ${mark}' & until [ -e /run/up ]; do :; done; echo done`,
    );
    expect(lines).toEqual(["up", "done"]);
    expect(await findProcesses(mark)).toEqual([]);
  });

  const stubborn = (mark: string) => `perl -e '
    # prctl(2), PR_SET_PDEATHSIG: the end of its parent is none of its business any more.
    syscall(157, 1, 0); $SIG{$_} = "IGNORE" for grep !/KILL|STOP|NUM/, keys %SIG; $| = 1; print "${mark}\n"; sleep 600 while 1'`;

  test("a program that hangs is ended and named, whatever it does against it", async () => {
    const mark = `hanging-${process.pid}`;
    const hanging = image.run("", { command: ["sh", "-c", `exec ${stubborn(mark)}`], timeoutMs: 2_000 });
    await expect(hanging).rejects.toMatchObject({
      code: "program-hangs",
      kind: "failed",
      message: expect.stringMatching(/`chroot .* sh -c .*ran out of time.*ended after 2 s/s),
    });
    expect(await findProcesses(mark)).toEqual([]);
  });

  test("an interruption ends it as well", async () => {
    const mark = `interrupted-${process.pid}`;
    const interruption = new AbortController();
    const onLine = (line: string) => line === mark && interruption.abort();
    const hanging = image.run("", {
      command: ["sh", "-c", `exec ${stubborn(mark)}`],
      signal: interruption.signal,
      onLine,
    });
    await expect(hanging).rejects.toMatchObject({ code: "interrupted" });
    expect(await findProcesses(mark)).toEqual([]);
  });

  test("nothing is mounted, and no file of ours", async () => {
    await symlink("../run/systemd/resolve/stub-resolv.conf", join(image.path, "etc/resolv.conf"));
    await image.run("true", { network: true });
    expect(await targetMounts(image.path)).toEqual([image.path]);
    for (const folder of ["dev", "proc", "run", "sys", "usr/sbin"]) expect(await image.list(folder)).toEqual([]);
    expect(await readlink(join(image.path, "etc/resolv.conf"))).toBe("../run/systemd/resolve/stub-resolv.conf");
  });
});

describe("what it takes too much of", () => {
  test("a full disk is a failure that says so", async () => {
    const filling = image.run("dd if=/dev/zero of=/filler bs=1M");
    await expect(filling).rejects.toMatchObject({
      code: "command-failed",
      message: expect.stringMatching(/No space left on device/),
    });
  });

  test("memory behind /dev and /run is small", async () => {
    const fill = (path: string) => `dd if=/dev/zero of=${path} bs=1M 2>/dev/null; stat -c %s ${path}`;
    const sizes = await image.run(`${fill("/dev/shm/filler")}; ${fill("/run/filler")}`);
    for (const size of sizes) expect(Number(size)).toBeLessThanOrEqual(64 * 2 ** 20);
    expect(sizes).toHaveLength(2);
  });

  test("output without an end is cut off", async () => {
    const tooMuch = { code: "command-failed", message: expect.stringMatching(/said too much/) };
    const line = "x".repeat(1000);
    await expect(image.run(`yes ${line}`)).rejects.toMatchObject(tooMuch);
    await expect(image.run(`yes ${line} | dd bs=1M 2>/dev/null`)).rejects.toMatchObject(tooMuch);
  });

  const findGroup = "perl -ne 'print /(metalcast-\\w+)/' /proc/self/cgroup";

  test("processes are limited, and go first where memory runs short", async () => {
    const bomb = `perl -e 'my $n = 0; while ($n < 1500) { my $p = fork; last if !defined $p; if (!$p) { sleep 600; exit } $n++ } print "$n\n"'`;
    const [count, score, group] = await image.run(`${bomb}; cat /proc/self/oom_score_adj; ${findGroup}`);
    expect(Number(count)).toBeGreaterThan(900);
    expect(Number(count)).toBeLessThan(1024);
    expect(score).toBe("1000");
    expect(group).toMatch(/^metalcast-/);
    const groups = await run("find", ["/sys/fs/cgroup", "-maxdepth", "3", "-name", group ?? ""], { doing });
    expect(groups.stdout).toBe("");
  });

  test("signals reach none of our processes", async () => {
    const lines = await image.run(`kill -9 ${process.pid}; kill -9 ${process.ppid}; kill -9 -1; true`);
    expect(lines.filter((line) => line.includes("No such process"))).toHaveLength(3);
  });
});

describe("tricks", () => {
  test("no program of the image runs but the one that is asked for", async () => {
    const trap = "#!/usr/bin/busybox sh\necho trap $0\n";
    for (const name of ["env", "mount", "sh", "perl", "setpriv", "chroot", "cp"]) {
      await rm(join(image.path, "usr/bin", name), { force: true });
      await image.put(`usr/bin/${name}`, trap, 0o755);
    }
    await image.put("etc/ld.so.preload", "/evil.so\n");
    expect(await image.run("", { command: ["echo", "hello"] }).catch(String)).toMatch(/failed to run command/);
    await symlink("busybox", join(image.path, "usr/bin/echo"));
    expect(await image.run("", { command: ["echo", "hello"] })).toEqual(["hello"]);
  });

  test.each(["dev", "proc", "sys", "run"])("a link in the place of /%s is refused", async (name) => {
    await rm(join(image.path, name), { recursive: true });
    await symlink("/tmp", join(image.path, name));
    await expect(image.run("true")).rejects.toMatchObject({ code: "image-folder-invalid", kind: "integrity" });
    expect(await targetMounts(image.path)).toEqual([image.path]);
  });

  test("links do not lead what is put over the image's files out of it", async () => {
    const outside = await mkdtemp(join(tmpdir(), "outside-"));
    try {
      await writeFile(join(outside, "file"), "ours\n");
      await symlink(`../../../../../../..${outside}/file`, join(image.path, "etc/resolv.conf"));
      await symlink(`${outside}/new`, join(image.path, "usr/sbin/policy-rc.d"));
      await image.run("true", { network: true });
      expect((await run("ls", [outside], { doing })).stdout).toBe("file");
      expect(await readFile(join(outside, "file"), "utf8")).toBe("ours\n");
    } finally {
      await rm(outside, { recursive: true });
    }
  });
});

describe("services", () => {
  const ask = "/usr/sbin/policy-rc.d ssh start; echo $?";

  test("packages may start none, and the image's own policy stays as it is", async () => {
    expect(await image.run(ask)).toEqual(["101"]);
    await image.put("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 0\n", 0o755);
    expect(await image.run(ask)).toEqual(["101"]);
    expect(await readFile(join(image.path, "usr/sbin/policy-rc.d"), "utf8")).toContain("exit 0");
  });

  test("a program with network asks this machine's name servers", async () => {
    const machines = (await readFile("/etc/resolv.conf", "utf8")).trimEnd().split("\n");
    await image.put("etc/resolv.conf", "the image's own\n");
    expect(await image.run("cat /etc/resolv.conf", { network: true })).toEqual(machines);
    expect(await image.run("cat /etc/resolv.conf")).toEqual(["the image's own"]);
    await rm(join(image.path, "etc/resolv.conf"));
    await symlink("../run/systemd/resolve/stub-resolv.conf", join(image.path, "etc/resolv.conf"));
    expect(await image.run("cat /etc/resolv.conf", { network: true })).toEqual(machines);
  });
});
