import { readFile } from "node:fs/promises";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import type { z } from "zod";
import { Failure } from "../../common/failure.ts";
import type { Cloud } from "./cloud.ts";
import { type ExchangeOptions, exchange, request } from "./exchange.ts";
import { endpointOf, type Login, logIn } from "./identity.ts";

/** A service by its type in the catalog, and the version of its API that we speak. */
export type Service = keyof typeof versions;

/** A catalog's URL may end in a version or not. */
const versions = {
  image: { suffix: /\/v2(\.\d+)?$/, path: "/v2" },
  compute: { suffix: /^$/, path: "" },
  network: { suffix: /\/v2\.0$/, path: "/v2.0" },
} as const;

type Request = Omit<ExchangeOptions<unknown>, "schema">;

/** A cloud that we are logged in to. A token that has run out is replaced once by a new login. */
export class CloudSession {
  readonly #cloud: Cloud;
  #login: Login;

  private constructor(cloud: Cloud, login: Login) {
    this.#cloud = cloud;
    this.#login = login;
  }

  /** @throws Failure as `logIn` does, and `cloud-unconfigured` where its certificates cannot be read */
  static async open(cloud: Cloud, signal?: AbortSignal): Promise<CloudSession> {
    if (cloud.certificateFile !== undefined) await trustAlso(cloud.certificateFile);
    return new CloudSession(cloud, await logIn(cloud, signal));
  }

  exchange<Body>(doing: string, service: Service, path: string, options: Request & { schema: z.ZodType<Body> }) {
    return this.#withToken(service, path, options, (url, headers) => exchange(doing, url, { ...options, headers }));
  }

  request(doing: string, service: Service, path: string, options: Request): Promise<Response> {
    return this.#withToken(service, path, options, (url, headers) => request(doing, url, { ...options, headers }));
  }

  async #withToken<Result>(
    service: Service,
    path: string,
    options: Request,
    send: (url: string, headers: Record<string, string>) => Promise<Result>,
  ): Promise<Result> {
    const attempt = () => {
      const headers = { ...options.headers, "x-auth-token": this.#login.token.reveal() };
      return send(`${this.#baseUrl(service)}${path}`, headers);
    };
    try {
      return await attempt();
    } catch (error) {
      // What was streamed is used up, and no token gives rise to another once it has run out.
      const isRepeatable = options.stream === undefined && !this.#cloud.credentials.has("token");
      if (!(error instanceof Failure && error.data.status === 401 && isRepeatable)) throw error;
      this.#login = await logIn(this.#cloud, options.signal);
      return attempt();
    }
  }

  #baseUrl(service: Service): string {
    const { suffix, path } = versions[service];
    return `${endpointOf(this.#login, this.#cloud, service).replace(suffix, "")}${path}`;
  }
}

/** For all connections of this process from now on, beside those that it trusts already. */
async function trustAlso(file: string): Promise<void> {
  const certificates = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new Failure({
      code: "cloud-unconfigured",
      kind: "configuration",
      message: `logging in to the cloud: its certificates in ${file} cannot be read`,
      hint: "correct cacert in clouds.yaml, or OS_CACERT",
      cause,
    });
  });
  setDefaultCACertificates([...getCACertificates("default"), certificates]);
}
