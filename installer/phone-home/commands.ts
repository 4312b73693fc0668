import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { action } from "../../common/command-line.ts";
import { Failure } from "../../common/failure.ts";
import { parsePort } from "../../common/port.ts";
import { Secret } from "../../common/secret.ts";
import { expectPhoneHome, waitForPhoneHome } from "./client.ts";
import { createPhoneHomeService } from "./service.ts";

interface OperatorFlags {
  service: string;
  operatorTokenFile: string;
}

/** The verbs of the operator who waits for installed servers. */
export function addPhoneHomeCommands(program: Command): void {
  const phoneHome = program.command("phone-home").description("receive the reports of installed servers");
  phoneHome
    .command("serve")
    .description("run the service that servers report to (plain HTTP: put a reverse proxy with TLS before it)")
    .requiredOption("--state <file>", "where expected servers and their reports are kept")
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--port <number>", "port to listen on", "8080")
    .option("--operator-token-file <file>", "opens /servers to whoever has this token")
    .action(
      action<{ state: string; host: string; port: string; operatorTokenFile?: string }>(
        async ({ emit, print, signal }, { state, host, port, operatorTokenFile }) => {
          const operator = operatorTokenFile === undefined ? {} : { operatorToken: await readToken(operatorTokenFile) };
          const service = await createPhoneHomeService({ stateFile: state, emit, ...operator });
          const { url, close } = await service.serve({ host, port: parsePort(port) });
          print({ url }, `listening on ${url}`);
          if (!signal.aborted) await once(signal, "abort");
          await close();
        },
      ),
    );
  addOperatorOptions(phoneHome.command("expect <instance>"))
    .description("announce a server; prints the one-time token for its job")
    .action(
      action<OperatorFlags>(async ({ print }, flags, instance) => {
        const token = await expectPhoneHome(await openAccess(flags), instance);
        print({ instanceId: instance, token: token.reveal() }, token.reveal());
      }),
    );
  addOperatorOptions(phoneHome.command("wait <instance>"))
    .description("wait until a server has reported; prints its report")
    .option("--timeout <seconds>", "how long to wait", "1800")
    .action(
      action<OperatorFlags & { timeout: string }>(async ({ print, signal }, { timeout, ...flags }, instance) => {
        const timeoutMs = parseSeconds(timeout) * 1000;
        const report = await waitForPhoneHome(await openAccess(flags), instance, { timeoutMs, signal });
        print(report, `${report.hostname} is up, cloud-init: ${report.cloudInit}\n${report.sshHostKeys.join("\n")}`);
      }),
    );
}

function addOperatorOptions(command: Command): Command {
  return command
    .requiredOption("--service <url>", "where `metalcast phone-home serve` listens")
    .requiredOption("--operator-token-file <file>", "the operator's token");
}

async function openAccess({ service, operatorTokenFile }: OperatorFlags) {
  return { url: service, operatorToken: await readToken(operatorTokenFile) };
}

async function readToken(file: string): Promise<Secret> {
  const token = (await readFile(file, "utf8").catch(() => "")).trim();
  if (token.length >= 16) return new Secret(token);
  throw new Failure({
    code: "operator-token-invalid",
    kind: "configuration",
    message: `reading the operator token: ${file} holds no token of at least 16 characters`,
    hint: `make one: openssl rand -hex 32 >${file}`,
  });
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (seconds > 0 && Number.isFinite(seconds)) return seconds;
  throw new Failure({
    code: "timeout-invalid",
    kind: "usage",
    message: `"${text}" is not a time limit`,
    hint: "write a number of seconds",
  });
}
