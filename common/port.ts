import { Failure } from "./failure.ts";

/** @returns the TCP port to listen on; 0 stands for any that is free. @throws Failure `port-invalid` (usage) */
export function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65535) return port;
  throw new Failure({
    code: "port-invalid",
    kind: "usage",
    message: `"${text}" is not a port`,
    hint: "write a number up to 65535",
  });
}
