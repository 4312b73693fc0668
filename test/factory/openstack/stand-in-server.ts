import { chmod, copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { createServer, connect as open } from "node:net";
import { dirname, join } from "node:path";
import { vi } from "vitest";
import { run } from "../../../common/run.ts";

export interface StandInServer {
  /** Its root directory, as this machine sees it. */
  root: string;
  /** Whether it has switched itself off. */
  isOff(): Promise<boolean>;
  stop(): Promise<void>;
}

const programs = [
  ...["cat", "chmod", "chown", "echo", "env", "find", "grep", "id", "kill", "ls", "mkdir", "rm", "rmdir", "sh"],
  ...["stat", "sync", "true"],
];

/** Switches off by ending the SSH server, as systemd would with everything else. */
const systemctl = `#!/bin/sh
[ "$*" = "--force poweroff" ] || exit 0
echo off >/powered-off
kill "$(cat /run/sshd.pid)"
`;

/** Who may log in, with which key; cloud-init would have made the account. */
export interface Account {
  name: string;
  authorizedKey: string;
}

/** It need not change who we are: the one other account is root's as well. */
const sudo = '#!/bin/sh\necho "sudo $1" >>/var/sudo\nexec "$@"\n';
const userdel = '#!/bin/sh\necho "removed: $*" >>/var/marker\n';

/**
 * What stands in for a cloud's server: a root directory of its own with a real SSH server, in namespaces of its own, so
 * that what is run there cannot touch this machine.
 */
export async function startStandInServer(root: string, port: number, account: Account): Promise<StandInServer> {
  await makeRoot(root, account);
  const stopping = Promise.withResolvers<void>();
  const mounts = [
    "mount -t tmpfs -o mode=755 dev dev",
    "for node in null zero urandom; do touch dev/$node; mount --bind /dev/$node dev/$node; done",
    "mount -t tmpfs -o mode=755 run run",
    "mkdir run/sshd",
    "mount -t proc proc proc",
    `chroot . /usr/sbin/sshd -D -e -p ${port} -f /etc/ssh/sshd_config &`,
    // All in the process namespace ends with its first process.
    "exec cat",
  ];
  const ended = run(
    "unshare",
    ["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "sh", "-euc", mounts.join("\n")],
    { doing: "running a stand-in server", cwd: root, input: endingWith(stopping.promise) },
  );
  await vi.waitFor(async () => connect(port), { timeout: 10_000 });
  return {
    root,
    isOff: () =>
      readFile(join(root, "powered-off")).then(
        () => true,
        () => false,
      ),
    async stop() {
      stopping.resolve();
      await ended;
    },
  };
}

/** An input with nothing in it, which ends when the promise is kept. */
async function* endingWith(stopped: Promise<void>): AsyncGenerator<Uint8Array> {
  await stopped;
  yield new Uint8Array();
}

async function makeRoot(root: string, { name, authorizedKey }: Account): Promise<void> {
  for (const folder of [
    "bin",
    "dev",
    "proc",
    "run",
    "tmp",
    "root",
    "home",
    "etc/ssh",
    "var/log",
    "var/tmp",
    "var/lib",
  ]) {
    await mkdir(join(root, folder), { recursive: true });
  }
  await chmod(join(root, "root"), 0o700);
  const home = name === "root" ? "root" : `home/${name}`;
  await mkdir(join(root, home, ".ssh"), { recursive: true, mode: 0o700 });
  await copyFile("/bin/busybox", join(root, "bin/busybox"));
  for (const program of programs) await symlink("busybox", join(root, "bin", program));
  for (const [file, text] of Object.entries({ systemctl, sudo, userdel })) {
    await writeFile(join(root, "bin", file), text, { mode: 0o755 });
  }
  const { stdout } = await run("ldd", ["/usr/sbin/sshd"], { doing: "listing libraries" });
  for (const file of ["/usr/sbin/sshd", ...(stdout.match(/\/\S+/g) ?? [])]) {
    await mkdir(dirname(join(root, file)), { recursive: true });
    await copyFile(file, join(root, file));
    await chmod(join(root, file), 0o755);
  }
  const accounts = ["root:x:0:0:root:/root:/bin/sh", "sshd:x:100:65534::/run/sshd:/bin/false"];
  if (name !== "root") accounts.push(`${name}:x:0:0::/${home}:/bin/sh`);
  await writeFile(join(root, "etc/passwd"), `${accounts.join("\n")}\n`);
  await writeFile(join(root, "etc/group"), "root:x:0:\nnogroup:x:65534:\n");
  await writeFile(join(root, "etc/machine-id"), "0123456789abcdef0123456789abcdef\n");
  await writeFile(join(root, home, ".ssh/authorized_keys"), `${authorizedKey}\n`, { mode: 0o600 });
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(root, "etc/ssh/ssh_host_ed25519_key")], {
    doing: "making a host key",
  });
  const configuration = ["UsePAM no", "PasswordAuthentication no", "Subsystem sftp internal-sftp", "UseDNS no"];
  const address = ["ListenAddress 127.0.0.1", "HostKey /etc/ssh/ssh_host_ed25519_key", "PidFile /run/sshd.pid"];
  await writeFile(join(root, "etc/ssh/sshd_config"), `${[...configuration, ...address].join("\n")}\n`);
}

/** A port of the loopback that nobody listens on. */
export function findPort(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const server = createServer();
  server.once("error", reject);
  server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    server.close(() => (typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port"))));
  });
  return promise;
}

function connect(port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = open(port, "127.0.0.1", () => {
    socket.destroy();
    resolve();
  });
  socket.once("error", reject);
  return promise;
}
