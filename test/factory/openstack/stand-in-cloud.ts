import { createHash, randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { serve } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { parse } from "yaml";
import { findPort, type StandInServer, startStandInServer } from "./stand-in-server.ts";

interface Image {
  id: string;
  name: string;
  disk_format: string;
  status: "queued" | "active";
  bytes: Buffer;
}

interface Server {
  id: string;
  name: string;
  image: string;
  machine: StandInServer;
}

/** What a test may want to go wrong. */
export interface Faults {
  /** Glance keeps other bytes than it got. */
  corruptUploads?: boolean;
  /** Glance gives other bytes than it has. */
  corruptDownloads?: boolean;
  /** Glance refuses to delete. */
  keepImages?: boolean;
  /** Nova has no room. */
  refuseServers?: boolean;
  /** Called when Glance has made an image, before it answers. */
  onImage?: () => void;
  /** As it may answer: with this status, to every request for images. */
  imageStatus?: number;
}

export const password = "correct horse";
export const secret = "staple";
const projectId = "0123456789abcdef0123456789abcdef";
export const flavorId = "b2-7";

/**
 * As much of Keystone, Glance, Nova and Neutron as the factory and Packer's builder `openstack` ask for; it refuses what
 * the real ones would. Its servers are SSH servers on this machine.
 */
export class StandInCloud implements AsyncDisposable {
  readonly images = new Map<string, Image>();
  readonly servers = new Map<string, Server>();
  readonly floatingIps = new Map<string, { portId?: string }>();
  /** `METHOD path` of every request, without Keystone's. */
  readonly requests: string[] = [];
  /** Of each login. */
  readonly logins: string[] = [];
  faults: Faults = {};
  url = "";
  /** Where its one server at a time answers. */
  sshPort = 0;
  readonly #folder: string;
  readonly #tokens = new Set<string>();
  #close: () => Promise<void> = async () => {};

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** @param folder for its servers' root directories */
  static async start(folder: string): Promise<StandInCloud> {
    const cloud = new StandInCloud(folder);
    cloud.sshPort = await findPort();
    const app = new Hono();
    cloud.#addIdentity(app);
    app.use("*", async (context, next) => {
      cloud.requests.push(`${context.req.method} ${context.req.path}`);
      if (!cloud.#tokens.has(context.req.header("x-auth-token") ?? "")) return context.json({ error: "no token" }, 401);
      await next();
    });
    cloud.#addImages(app);
    cloud.#addServers(app);
    cloud.#addNetwork(app);
    app.onError((error, context) => context.json({ error: error.message }, 500));
    await new Promise<void>((resolve) => {
      const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, ({ port }) => {
        cloud.url = `http://127.0.0.1:${port}`;
        resolve();
      });
      cloud.#close = () => new Promise((done) => server.close(() => done()));
    });
    return cloud;
  }

  /** What a user would have in the environment. */
  get environment(): NodeJS.ProcessEnv {
    return {
      OS_AUTH_URL: `${this.url}/identity`,
      OS_USERNAME: "builder",
      OS_PASSWORD: password,
      OS_USER_DOMAIN_NAME: "Default",
      OS_PROJECT_ID: projectId,
      OS_REGION_NAME: "GRA",
    };
  }

  /** From now on every request needs a new login. */
  expireTokens(): void {
    this.#tokens.clear();
  }

  #addIdentity(app: Hono): void {
    app.post("/identity/v3/auth/tokens", async (context) => {
      const { auth } = await context.req.json();
      const method = auth.identity.methods[0];
      const given = {
        password: auth.identity.password?.user.password === password && auth.scope?.project?.id === projectId,
        application_credential: auth.identity.application_credential?.secret === secret && auth.scope === undefined,
        token: this.#tokens.has(auth.identity.token?.id),
      };
      if (!given[method as keyof typeof given]) return context.json({ error: { message: "who are you?" } }, 401);
      this.logins.push(method);
      const token = randomUUID();
      this.#tokens.add(token);
      const service = (type: string, path: string) => ({
        type,
        endpoints: ["SBG", "GRA"].map((region) => ({
          interface: "public",
          region_id: region,
          region,
          url: region === "GRA" ? `${this.url}${path}` : "http://127.0.0.1:9/elsewhere",
        })),
      });
      const catalog = [service("image", "/image"), service("compute", "/compute/v2.1"), service("network", "/network")];
      const body = { token: { expires_at: "2099-01-01T00:00:00.000000Z", project: { id: projectId }, catalog } };
      return context.json(body, 201, { "x-subject-token": token });
    });
  }

  #addImages(app: Hono): void {
    app.use("/image/*", async (_, next) => {
      const status = this.faults.imageStatus;
      if (status === undefined) return next();
      return new Response(`fault ${status}`, { status });
    });
    app.post("/image/v2/images", async (context) => {
      const { name, disk_format, container_format } = await context.req.json();
      if (container_format !== "bare" || !["raw", "qcow2"].includes(disk_format)) return context.json({}, 400);
      const image: Image = { id: randomUUID(), name, disk_format, status: "queued", bytes: Buffer.alloc(0) };
      this.images.set(image.id, image);
      this.faults.onImage?.();
      return context.json(describeImage(image), 201);
    });
    app.get("/image/v2/images", (context) => {
      const name = context.req.query("name");
      return context.json({
        images: [...this.images.values()].filter((image) => image.name === name).map(describeImage),
      });
    });
    app.get("/image/v2/images/:id", (context) =>
      this.#withImage(context, (image) => context.json(describeImage(image))),
    );
    app.put("/image/v2/images/:id/file", async (context) => {
      if (context.req.header("content-type") !== "application/octet-stream") return context.json({}, 415);
      const bytes = Buffer.from(await context.req.arrayBuffer());
      return this.#withImage(context, (image) => {
        image.bytes = this.faults.corruptUploads ? Buffer.concat([bytes.subarray(1), Buffer.from("x")]) : bytes;
        image.status = "active";
        return context.body(null, 204);
      });
    });
    app.get("/image/v2/images/:id/file", (context) =>
      this.#withImage(context, ({ bytes }) => {
        const given = Buffer.from(bytes);
        if (this.faults.corruptDownloads) given[0] = (given[0] ?? 0) ^ 1;
        return new Response(given, { headers: { "content-type": "application/octet-stream" } });
      }),
    );
    app.delete("/image/v2/images/:id", (context) =>
      this.#withImage(context, ({ id }) => {
        if (this.faults.keepImages) return context.json({ error: "in use" }, 409);
        this.images.delete(id);
        return context.body(null, 204);
      }),
    );
  }

  #withImage(context: Context, use: (image: Image) => Response): Response {
    const image = this.images.get(context.req.param("id") ?? "");
    return image ? use(image) : context.json({ error: "no such image" }, 404);
  }

  #addServers(app: Hono): void {
    // What is answered below is version 2.1, which is what a client gets that asks for none.
    app.use("/compute/*", async (context, next) => {
      const asked = context.req.header("openstack-api-version") ?? context.req.header("x-openstack-nova-api-version");
      return asked === undefined ? next() : context.json({ error: "no such microversion" }, 406);
    });
    app.get("/compute/v2.1/flavors/:id", (context) => {
      const id = context.req.param("id");
      return id === flavorId ? context.json({ flavor: { id, name: id } }) : context.json({}, 404);
    });
    app.get("/compute/v2.1/flavors/detail", (context) => context.json({ flavors: [] }));
    app.post("/compute/v2.1/servers", async (context) => {
      const { server } = await context.req.json();
      if (this.faults.refuseServers) return context.json({ forbidden: { message: "quota exceeded" } }, 403);
      const image = this.images.get(server.imageRef);
      if (image?.status !== "active" || server.flavorRef !== flavorId) return context.json({}, 400);
      const userData = Buffer.from(server.user_data, "base64").toString();
      if (!userData.startsWith("#cloud-config\n") || server.config_drive !== true) return context.json({}, 400);
      const { users, ssh_authorized_keys: keys = [] } = parse(userData);
      const account = users[0] ?? { name: "root", ssh_authorized_keys: keys };
      const id = randomUUID();
      const machine = await startStandInServer(join(this.#folder, id), this.sshPort, {
        name: account.name,
        authorizedKey: account.ssh_authorized_keys[0],
      });
      this.servers.set(id, { id, name: server.name, image: image.id, machine });
      return context.json({ server: { id } }, 202);
    });
    app.get("/compute/v2.1/servers", (context) => {
      const pattern = new RegExp(context.req.query("name") ?? "");
      const found = [...this.servers.values()].filter(({ name }) => pattern.test(name));
      return context.json({ servers: found.map(({ id, name }) => ({ id, name })) });
    });
    app.get("/compute/v2.1/servers/:id", async (context) => {
      const server = this.servers.get(context.req.param("id"));
      if (!server) return context.json({ itemNotFound: {} }, 404);
      const status = (await server.machine.isOff()) ? "SHUTOFF" : "ACTIVE";
      return context.json({ server: { id: server.id, status, accessIPv4: "127.0.0.1", addresses: {} } });
    });
    app.get("/compute/v2.1/servers/:id/os-interface", (context) =>
      context.json({ interfaceAttachments: [{ port_id: "port-1", net_id: "net-1", port_state: "ACTIVE" }] }),
    );
    app.post("/compute/v2.1/servers/:id/action", (context) => this.#act(context));
    app.delete("/compute/v2.1/servers/:id", async (context) => {
      const id = context.req.param("id");
      const server = this.servers.get(id);
      if (!server) return context.json({ itemNotFound: {} }, 404);
      await server.machine.stop();
      this.servers.delete(id);
      return context.body(null, 204);
    });
  }

  async #act(context: Context): Promise<Response> {
    const server = this.servers.get(context.req.param("id") ?? "");
    const action = await context.req.json();
    if (!server) return context.json({ itemNotFound: {} }, 404);
    if ("os-stop" in action) return context.json({ conflictingRequest: { message: "it is off" } }, 409);
    if (!("createImage" in action) || !(await server.machine.isOff())) return context.json({}, 409);
    // Enough to tell that this image was booted, and that the scripts ran on it.
    const base = this.images.get(server.image)?.bytes ?? Buffer.alloc(0);
    const marker = await readFile(join(server.machine.root, "var/marker")).catch(() => Buffer.alloc(0));
    const image: Image = {
      id: randomUUID(),
      name: action.createImage.name,
      disk_format: "qcow2",
      status: "active",
      bytes: Buffer.concat([base, marker]),
    };
    this.images.set(image.id, image);
    return context.body(null, 202, { location: `${this.url}/image/v2/images/${image.id}` });
  }

  #addNetwork(app: Hono): void {
    const network = { id: "5ca1ab1e-0000-4000-8000-000000000001", name: "Ext-Net", "router:external": true };
    app.get("/network/v2.0/networks", (context) => context.json({ networks: [network] }));
    app.get("/network/v2.0/networks/:id", (context) => context.json({ network }));
    app.post("/network/v2.0/floatingips", (context) => {
      const id = randomUUID();
      this.floatingIps.set(id, {});
      return context.json({ floatingip: { id, floating_ip_address: "127.0.0.1" } }, 201);
    });
    app.put("/network/v2.0/floatingips/:id", async (context) => {
      const id = context.req.param("id");
      const { floatingip } = await context.req.json();
      this.floatingIps.set(id, { portId: floatingip.port_id });
      return context.json({ floatingip: { id, floating_ip_address: "127.0.0.1", port_id: floatingip.port_id } });
    });
    app.delete("/network/v2.0/floatingips/:id", (context) => {
      const wasThere = this.floatingIps.delete(context.req.param("id"));
      return wasThere ? context.body(null, 204) : context.json({}, 404);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { machine } of this.servers.values()) await machine.stop();
    await this.#close();
  }
}

function describeImage({ id, name, disk_format, status, bytes }: Image) {
  const sent = {
    size: bytes.length,
    os_hash_algo: "sha512",
    os_hash_value: createHash("sha512").update(bytes).digest("hex"),
  };
  return { id, name, disk_format, status, container_format: "bare", ...(status === "active" ? sent : { size: null }) };
}
