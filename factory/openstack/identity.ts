import { z } from "zod";
import { Failure } from "../../common/failure.ts";
import { Secret } from "../../common/secret.ts";
import type { Cloud } from "./cloud.ts";
import { exchange } from "./exchange.ts";

/** What Keystone gives for credentials. */
export interface Login {
  token: Secret;
  /** Base URLs by the services' types. */
  endpoints: ReadonlyMap<string, string>;
}

const tokenSchema = z.looseObject({
  token: z.looseObject({
    catalog: z
      .array(
        z.looseObject({
          type: z.string(),
          endpoints: z.array(
            z.looseObject({
              interface: z.string(),
              region: z.string().nullish(),
              region_id: z.string().nullish(),
              url: z.string(),
            }),
          ),
        }),
      )
      .default([]),
  }),
});

/**
 * Identity API v3, "Authentication and token management", POST /v3/auth/tokens.
 * @throws Failure `cloud-refused`, `cloud-unconfigured` (configuration), `cloud-unreachable` (retry), ...
 */
export async function logIn(cloud: Cloud, signal?: AbortSignal): Promise<Login> {
  const { response, body } = await exchange("logging in to the cloud", `${cloud.identityUrl}/auth/tokens`, {
    method: "POST",
    json: { auth: describeLogin(cloud) },
    expect: [201],
    schema: tokenSchema,
    ...(signal && { signal }),
  });
  const token = response.headers.get("x-subject-token");
  if (!token) throw unconfigured("Keystone's answer has no token", "check auth_url");
  const endpoints = new Map<string, string>();
  for (const service of body.token.catalog) {
    const endpoint = service.endpoints.find(({ interface: kind, region, region_id: id }) => {
      return kind === cloud.interface && (cloud.region === undefined || cloud.region === (id ?? region));
    });
    if (endpoint && !endpoints.has(service.type)) endpoints.set(service.type, endpoint.url.replace(/\/+$/, ""));
  }
  return { token: new Secret(token), endpoints };
}

/** @throws Failure `cloud-unconfigured` */
export function endpointOf(login: Login, cloud: Cloud, type: string): string {
  const url = login.endpoints.get(type);
  if (url !== undefined) return url;
  const where = cloud.region === undefined ? "" : ` in the region ${cloud.region}`;
  throw unconfigured(
    `it has no ${cloud.interface} service of the type "${type}"${where}`,
    "check region and interface",
  );
}

/** @returns the body's `auth`: by application credential, by token or by password, as the credentials allow */
function describeLogin({ credentials }: Cloud): Record<string, unknown> {
  const get = (name: string) => credentials.get(name)?.reveal();
  const domainOf = (kind: "user" | "project") => {
    const id = get(`${kind}_domain_id`) ?? get("domain_id");
    const name = get(`${kind}_domain_name`) ?? get("domain_name");
    return id ? { id } : { name: name ?? "Default" };
  };
  const user = get("user_id") ? { id: get("user_id") } : { name: get("username"), domain: domainOf("user") };

  const secret = get("application_credential_secret");
  if (secret) {
    const id = get("application_credential_id");
    const which = id ? { id } : { name: get("application_credential_name"), user };
    // Such a credential belongs to one project: a scope may not be asked for.
    return { identity: { methods: ["application_credential"], application_credential: { ...which, secret } } };
  }
  const projectId = get("project_id");
  const projectName = get("project_name");
  if (!projectId && !projectName) {
    throw unconfigured("no project is known", "set project_id, or project_name and project_domain_name");
  }
  const scope = { project: projectId ? { id: projectId } : { name: projectName, domain: domainOf("project") } };
  const token = get("token");
  if (token) return { identity: { methods: ["token"], token: { id: token } }, scope };
  const password = get("password");
  if (!password || (!get("user_id") && !get("username"))) {
    throw unconfigured(
      "there is neither a user with a password, nor a token, nor an application credential",
      "set OS_USERNAME and OS_PASSWORD, or the fields of clouds.yaml",
    );
  }
  return { identity: { methods: ["password"], password: { user: { ...user, password } } }, scope };
}

function unconfigured(problem: string, hint: string): Failure {
  return new Failure({
    code: "cloud-unconfigured",
    kind: "configuration",
    message: `logging in to the cloud: ${problem}`,
    hint,
  });
}
