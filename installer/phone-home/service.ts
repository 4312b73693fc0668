import { serve as serveHttp } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { type Emit, note } from "../../common/event.ts";
import { Failure } from "../../common/failure.ts";
import type { Secret } from "../../common/secret.ts";
import { openRegistry, type Registry, sameSecret, type Verdict } from "./registry.ts";
import { instanceIdSchema, type PhoneHomeReport, reportSchema } from "./report.ts";

const maximumBodyBytes = 16 * 1024;
const maximumWaitSeconds = 60;

const answers = { accepted: 200, repeated: 200, spent: 410, refused: 401 } as const satisfies Record<Verdict, number>;

export interface PhoneHomeServiceOptions {
  /** Where the expected servers are kept; made if absent. */
  stateFile: string;
  /** Opens /servers to whoever presents it. Without one, there is no such address. */
  operatorToken?: Secret;
  /** Hears of every report, taken or refused. */
  emit?: Emit;
}

export interface PhoneHomeService {
  /**
   * Makes the one-time token of a server that is about to be installed. Done again, it forgets the earlier token and
   * report.
   * @throws Failure `phone-home-id-invalid` (configuration)
   */
  expect(instanceId: string): Promise<string>;
  /**
   * @returns the report, at once if it has come already
   * @throws Failure `phone-home-timeout` (failed), `phone-home-unknown-server` (configuration), `interrupted`
   */
  waitFor(instanceId: string, options: { timeoutMs: number; signal?: AbortSignal }): Promise<PhoneHomeReport>;
  /**
   * Listens for servers and operators, in plain HTTP: put a reverse proxy with a certificate before it. Port 0 takes
   * any that is free.
   */
  serve(address: { host: string; port: number }): Promise<{ url: string; close: () => Promise<void> }>;
}

function bearer(context: Context): string {
  return /^Bearer (\S+)$/i.exec(context.req.header("authorization") ?? "")?.[1] ?? "";
}

/** What servers talk to. A wrong token, a missing one and another server's all get the same answer. */
function serverRoutes(registry: Registry, emit: Emit): Hono {
  const app = new Hono();
  const refuse = (context: Context) => {
    note(emit, "refused a phone home: no such token");
    return context.body(null, answers.refused);
  };
  app.post("/phone-home", async (context, next) => (registry.knows(bearer(context)) ? next() : refuse(context)));
  app.post(
    "/phone-home",
    bodyLimit({ maxSize: maximumBodyBytes, onError: (context) => context.body(null, 413) }),
    async (context) => {
      const body = await context.req.json<unknown>().catch(() => undefined);
      const report = reportSchema.safeParse(body);
      if (!report.success) {
        const problems = report.error.issues.map(({ path, message }) => `${path.join(".") || "(top)"}: ${message}`);
        note(emit, `refused a phone home: ${problems.join("; ")}`);
        return context.json({ problems }, 400);
      }
      const verdict = await registry.accept(bearer(context), report.data);
      if (verdict === "refused") return refuse(context);
      note(emit, `${report.data.instanceId} (${report.data.hostname}) phoned home: ${verdict}`);
      return context.body(null, answers[verdict]);
    },
  );
  return app;
}

/** What operators talk to: register a server, and wait for it by long polling. */
function operatorRoutes(registry: Registry, operatorToken: Secret, closing: AbortSignal): Hono {
  const app = new Hono();
  app.use("/servers/:id", async (context, next) => {
    const presented = bearer(context);
    if (presented === "" || !sameSecret(presented, operatorToken.reveal())) return context.body(null, 401);
    return instanceIdSchema.safeParse(context.req.param("id")).success ? next() : context.body(null, 400);
  });
  app.put("/servers/:id", async (context) =>
    context.json({ token: await registry.expect(context.req.param("id")) }, 201),
  );
  app.get("/servers/:id", async (context) => {
    const id = context.req.param("id");
    const waitSeconds = Number(context.req.query("wait") ?? 0);
    if (waitSeconds > 0 && registry.find(id)) {
      const timeoutMs = Math.min(waitSeconds, maximumWaitSeconds) * 1000;
      const signal = AbortSignal.any([closing, context.req.raw.signal]);
      // The answer is the server as it is then, reported or not.
      await registry.waitFor(id, { timeoutMs, signal }).catch(() => undefined);
    }
    const server = registry.find(id);
    return server ? context.json(server) : context.body(null, 404);
  });
  return app;
}

/**
 * The service that installed servers phone home to. A report counts, and is answered, once it is on the disk.
 * @throws Failure `phone-home-state-invalid` (integrity)
 */
export async function createPhoneHomeService(options: PhoneHomeServiceOptions): Promise<PhoneHomeService> {
  const { stateFile, operatorToken, emit = () => {} } = options;
  const registry = await openRegistry(stateFile);
  return {
    async expect(instanceId) {
      const id = instanceIdSchema.safeParse(instanceId);
      if (id.success) return registry.expect(id.data);
      throw new Failure({
        code: "phone-home-id-invalid",
        kind: "configuration",
        message: `expecting a server: "${instanceId}" is not an instance id`,
        hint: "use the instance's UUID, as `metalcast plan` shows it",
      });
    },
    waitFor: registry.waitFor,
    async serve({ host, port }) {
      const closing = new AbortController();
      const app = new Hono();
      app.onError((error, context) => {
        note(emit, `could not answer a request: ${error.message}`);
        return context.body(null, 500);
      });
      app.route("/", serverRoutes(registry, emit));
      if (operatorToken) app.route("/", operatorRoutes(registry, operatorToken, closing.signal));
      return listen(app, { host, port }, () => closing.abort());
    },
  };
}

function listen(app: Hono, { host, port }: { host: string; port: number }, onClose: () => void) {
  return new Promise<{ url: string; close: () => Promise<void> }>((resolve, reject) => {
    const server = serveHttp({ fetch: app.fetch, hostname: host, port }, (address) => {
      const name = host.includes(":") ? `[${host}]` : host;
      resolve({
        url: `http://${name}:${address.port}/`,
        close: () =>
          new Promise((closed) => {
            onClose();
            server.close(() => closed());
          }),
      });
    });
    server.on("error", (cause) =>
      reject(
        new Failure({
          code: "phone-home-not-listening",
          kind: "configuration",
          message: `serving phone homes on ${host}:${port}: ${cause.message}`,
          hint: "choose another --host or --port",
          cause,
        }),
      ),
    );
  });
}
