import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { action } from "../../common/command-line.ts";
import { Failure } from "../../common/failure.ts";
import { parsePort } from "../../common/port.ts";
import { serveMirror } from "./serve-mirror.ts";

interface Flags {
  host: string;
  port: string;
  cert?: string;
  key?: string;
}

export function addServeCommand(program: Command): void {
  program
    .command("serve <directory>")
    .description("serve a mirror's directory over HTTP, for reading, until it is interrupted")
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--port <number>", "port to listen on; 0 takes a free one", "8080")
    .option("--cert <file>", "serve HTTPS with this certificate and its chain (PEM)")
    .option("--key <file>", "the certificate's key (PEM)")
    .action(
      action<Flags>(async ({ emit, print, signal }, { host, port, ...files }, directory) => {
        const tls = await readCertificate(files);
        const { url, close } = await serveMirror(directory, {
          host,
          port: parsePort(port),
          emit,
          ...(tls && { tls }),
        });
        print({ url }, `serving ${directory} at ${url}`);
        if (!signal.aborted) await once(signal, "abort");
        await close();
      }),
    );
}

async function readCertificate({ cert, key }: Pick<Flags, "cert" | "key">) {
  if (cert === undefined && key === undefined) return undefined;
  if (cert !== undefined && key !== undefined) return { cert: await readPem(cert), key: await readPem(key) };
  throw new Failure({
    code: "certificate-incomplete",
    kind: "usage",
    message: "serving HTTPS takes both a certificate and its key",
    hint: "give --cert FILE and --key FILE, or neither",
  });
}

async function readPem(file: string): Promise<string> {
  return readFile(file, "utf8").catch((cause: unknown) => {
    throw new Failure({
      code: "certificate-invalid",
      kind: "configuration",
      message: `reading ${file}: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    });
  });
}
