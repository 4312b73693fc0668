import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../common/run.ts";
import type { Network } from "./network.ts";

interface Server extends AsyncDisposable {
  url: string;
}

/** Serves a directory over HTTP by nginx. */
export function startWebServer(network: Network, root: string, directory: string): Promise<Server> {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (kind) => `${kind}_temp_path ${join(directory, `nginx-${kind}`)};`,
  );
  const configuration = [
    "daemon off; user root; worker_processes 1; error_log stderr;",
    `pid ${join(directory, "nginx.pid")};`,
    "events {}",
    `http { access_log off; sendfile on; ${temporary.join(" ")} server { listen 127.0.0.1:80; root ${root}; } }`,
  ];
  const url = "http://127.0.0.1";
  return startServer(network, {
    file: join(directory, "nginx.conf"),
    configuration,
    command: (file) => ["nginx", "-c", file],
    ask: ["curl", "--silent", "--output", "/dev/null", url],
    // curl(1): 7 is a connection refused.
    notYet: 7,
    url,
  });
}

/** Serves a tree by an rsync daemon; rsyncd.conf(5). */
export function startRsync(network: Network, tree: string, directory: string): Promise<Server> {
  const url = "rsync://127.0.0.1/tree";
  return startServer(network, {
    file: join(directory, "rsyncd.conf"),
    configuration: ["use chroot = no", "uid = 0", "gid = 0", "reverse lookup = no", "[tree]", `path = ${tree}`],
    command: (file) => ["rsync", "--daemon", "--no-detach", "--address=127.0.0.1", `--config=${file}`],
    ask: ["rsync", url],
    // rsync(1): 10 is an error in socket I/O.
    notYet: 10,
    url,
  });
}

interface Recipe {
  file: string;
  configuration: readonly string[];
  command: (file: string) => string[];
  /** Succeeds once the server answers. */
  ask: readonly string[];
  /** How it exits until then. */
  notYet: number;
  url: string;
}

async function startServer(
  network: Network,
  { file, configuration, command, ask, notYet, url }: Recipe,
): Promise<Server> {
  await writeFile(file, `${configuration.join("\n")}\n`);
  const stop = new AbortController();
  const [program, ...args] = network.within(...command(file));
  const running = run(program, args, { doing: `serving ${url}`, signal: stop.signal });
  const ended = running.then(() => Promise.reject(new Error(`the server of ${url} has ended`)));
  ended.catch(() => undefined);
  const [askProgram, ...askArgs] = network.within(...ask);
  const tryOnce = () => run(askProgram, askArgs, { doing: `asking ${url}`, accept: [0, notYet] });
  for (let answer = await tryOnce(); answer.exitCode !== 0; ) answer = await Promise.race([ended, tryOnce()]);
  return {
    url,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.allSettled([running]);
    },
  };
}
