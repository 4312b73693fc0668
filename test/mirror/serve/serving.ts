import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type ServeOptions, serveMirror } from "../../../mirror/serve/serve-mirror.ts";

/** A directory with these files, served on any port; both end with their block. */
export async function serving(files: Record<string, string | Uint8Array> = {}, options: ServeOptions = {}) {
  const parent = await mkdtemp(join(tmpdir(), "serve-"));
  const root = join(parent, "mirror");
  await mkdir(root);
  for (const [key, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, key)), { recursive: true });
    await writeFile(join(root, key), content);
  }
  const lines: string[] = [];
  const emit: ServeOptions["emit"] = (event) => event.kind === "note" && lines.push(event.text);
  const { url, close } = await serveMirror(root, { port: 0, emit, ...options });
  return {
    parent,
    root,
    url,
    close,
    /** One for each request that has ended. */
    lines,
    async [Symbol.asyncDispose]() {
      await close();
      await rm(parent, { recursive: true });
    },
  };
}

/** Sends bytes as they are, and gives all that comes until the server closes the connection. */
export async function sendRaw(url: string, request: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write(Buffer.from(request, "latin1"));
  let received = "";
  socket.on("data", (chunk) => {
    received += chunk.toString("latin1");
  });
  socket.on("error", () => undefined);
  await once(socket, "close");
  return received;
}
