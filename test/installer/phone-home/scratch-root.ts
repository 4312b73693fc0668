import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, vi } from "vitest";
import { run } from "../../../common/run.ts";
import { reveal } from "../../../common/secret.ts";
import { type PhoneHome, phoneHomeFiles } from "../../../installer/phone-home/files.ts";

/** Stands in for systemd's, which needs systemd as process 1: it tells what the test wrote, and keeps count. */
const systemctl = `#!/bin/sh
echo "$*" >>/run/systemctl-calls
case $* in
  'show --property=Job --property=ActiveState cloud-final.service') cat /run/cloud-final ;;
  daemon-reload) ;;
  *) echo "unexpected: systemctl $*" >&2; exit 1 ;;
esac
`;

export interface ScratchRoot {
  lines: string[];
  /** Path, from outside, of what is /path inside. */
  path(inside: string): string;
  write(inside: string, content: string, mode?: number): Promise<void>;
  /** A program of this machine's is not there. */
  hide(inside: string): Promise<void>;
  systemctlCalls(): Promise<string[]>;
  fingerprint: string;
  /** Starts the phone home. @returns its exit code */
  start(hostname?: string): Promise<number>;
  remove(): Promise<void>;
}

/** A TCP port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

/** A small system in which the phone home is installed, cloud-init is done, and sshd waits for /run/start-sshd. */
export async function makeScratchRoot(phoneHome: PhoneHome): Promise<ScratchRoot> {
  const directory = await mkdtemp(join(tmpdir(), "metalcast-scratch-"));
  const stop = new AbortController();
  const lines: string[] = [];
  let ended: Promise<unknown> = Promise.resolve();
  const path = (inside: string) => join(directory, inside.startsWith("/usr/") ? "" : "root", inside);
  const write = async (inside: string, content: string, mode = 0o644) => {
    await mkdir(dirname(path(inside)), { recursive: true });
    await writeFile(path(inside), content);
    await chmod(path(inside), mode);
  };

  for (const name of ["usr", "proc", "dev", "tmp", "run/sshd", "etc/ssh"])
    await mkdir(join(directory, "root", name), { recursive: true });
  await mkdir(join(directory, "work"));
  for (const name of ["bin", "sbin", "lib", "lib64"]) await symlink(`usr/${name}`, join(directory, "root", name));
  await write("/etc/passwd", "root:x:0:0::/root:/bin/sh\nsshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n");
  await write(
    "/etc/ssh/sshd_config",
    `Port ${await freePort()}\nListenAddress 127.0.0.1\nHostKey /etc/ssh/ssh_host_ed25519_key\n`,
  );
  const key = path("/etc/ssh/ssh_host_ed25519_key");
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key], { doing: "making a host key" });
  const { stdout } = await run("ssh-keygen", ["-lf", key], { doing: "reading a fingerprint" });

  await write("/usr/local/bin/systemctl", systemctl, 0o755);
  await write("/run/systemctl-calls", "");
  await write("/run/cloud-final", "Job=\nActiveState=active\n");
  await write("/run/cloud-init/result.json", '{\n "v1": {\n  "datasource": "x",\n  "errors": []\n }\n}\n');
  for (const file of phoneHomeFiles(phoneHome)) {
    if ("symlink" in file) {
      await mkdir(dirname(path(file.path)), { recursive: true });
      await symlink(file.symlink, path(file.path));
    } else await write(file.path, reveal(file.content), file.mode);
  }

  return {
    lines,
    path,
    write,
    async hide(inside) {
      await mkdir(dirname(path(inside)), { recursive: true });
      // overlayfs takes a device of this number for "not there": Documentation/filesystems/overlayfs.rst, "whiteouts".
      await run("mknod", [path(inside), "c", "0", "0"], { doing: "hiding a program" });
    },
    systemctlCalls: async () => (await readFile(path("/run/systemctl-calls"), "utf8")).split("\n").slice(0, -1),
    fingerprint: stdout.split(" ")[1] ?? "",
    async start(hostname = "web-1") {
      const fence = ["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--uts"];
      const script = join(import.meta.dirname, "scratch-root.sh");
      const process = run("unshare", [...fence, "sh", script, directory, hostname], {
        doing: "phoning home",
        accept: [0, 1],
        signal: stop.signal,
        onLine: (line) => lines.push(line),
      });
      ended = process.catch(() => undefined);
      return (await process).exitCode;
    },
    async remove() {
      stop.abort();
      await ended;
      await rm(directory, { recursive: true });
    },
  };
}

/** Waits for a line of the phone home's output. */
export const waitForLine = ({ lines }: ScratchRoot, text: string) =>
  vi.waitFor(() => expect(lines.join("\n")).toContain(text), { timeout: 40_000 });
