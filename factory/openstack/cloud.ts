import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { Failure } from "../../common/failure.ts";
import { Secret } from "../../common/secret.ts";

/**
 * What proves who we are, by the names that clouds.yaml has for it: `username`, `project_name`, `password`, ...
 * (openstacksdk, "Configuring OpenStack SDK Applications"). Every value may be secret or lead to one.
 */
type CloudCredentials = ReadonlyMap<string, Secret>;

/** A cloud, and how we log in to it. */
export interface Cloud {
  /** Keystone's, with `/v3` at its end. */
  identityUrl: string;
  credentials: CloudCredentials;
  region?: string;
  /** Which of a service's endpoints is used. */
  interface: "public" | "internal" | "admin";
  /** A file of certificates in PEM that the cloud's are signed by. */
  certificateFile?: string;
}

export interface CloudOptions {
  environment?: NodeJS.ProcessEnv;
  /** Where clouds.yaml is looked for, unless OS_CLIENT_CONFIG_FILE names it. The first that has one wins. */
  folders?: readonly string[];
  /** In place of what clouds.yaml or OS_REGION_NAME say. */
  region?: string;
}

const authSchema = z.record(z.string(), z.coerce.string());
const cloudSchema = z.looseObject({
  auth: authSchema.default({}),
  region_name: z.string().optional(),
  interface: z.string().optional(),
  cacert: z.string().optional(),
  verify: z.boolean().optional(),
});
const fileSchema = z.looseObject({ clouds: z.record(z.string(), cloudSchema) });

/** What `auth` may hold that we pass on; others have no meaning for the three ways to log in. */
const authNames = [
  ...["auth_url", "username", "user_id", "password", "token", "user_domain_name", "user_domain_id"],
  ...["project_name", "project_id", "project_domain_name", "project_domain_id", "domain_name", "domain_id"],
  ...["application_credential_id", "application_credential_name", "application_credential_secret"],
];

/**
 * Reads where the cloud is and how to log in: the entry of clouds.yaml that OS_CLOUD names, else OS_* variables.
 * @throws Failure `cloud-unconfigured` (configuration): no secret is in its message
 */
export async function readCloud(options: CloudOptions = {}): Promise<Cloud> {
  const { environment = process.env } = options;
  const name = environment.OS_CLOUD;
  const entry = name ? await readEntry(name, options) : entryOfEnvironment(environment);
  if (entry.verify === false) {
    throw unconfigured("it says that certificates are not to be checked", "name the cloud's own with cacert instead");
  }
  const { auth_url: authUrl, ...auth } = entry.auth;
  if (!authUrl) {
    throw unconfigured(
      "no auth_url is known",
      "set OS_CLOUD to an entry of clouds.yaml, or OS_AUTH_URL and the others",
    );
  }
  const region = options.region ?? entry.region_name ?? environment.OS_REGION_NAME;
  const certificateFile = entry.cacert ?? environment.OS_CACERT;
  const known = Object.entries(auth).filter(([key]) => authNames.includes(key));
  return {
    identityUrl: normalizeIdentityUrl(authUrl),
    credentials: new Map(known.map(([key, value]) => [key, new Secret(value)])),
    interface: parseInterface(entry.interface ?? environment.OS_INTERFACE ?? "public"),
    ...(region && { region }),
    ...(certificateFile && { certificateFile }),
  };
}

type Entry = z.infer<typeof cloudSchema>;

function entryOfEnvironment(environment: NodeJS.ProcessEnv): Entry {
  const auth = authNames.flatMap((name) => {
    // Older clients call a project a tenant.
    const variable = `OS_${name.toUpperCase()}`;
    const value = environment[variable] ?? environment[variable.replace("PROJECT", "TENANT")];
    return value ? [[name, value]] : [];
  });
  return { auth: Object.fromEntries(auth) };
}

/** What is in secure.yaml, beside clouds.yaml or in one of the folders, is laid over the entry ("Splitting Secrets"). */
async function readEntry(name: string, options: CloudOptions): Promise<Entry> {
  const { environment = process.env, folders = defaultFolders(environment) } = options;
  const named = environment.OS_CLIENT_CONFIG_FILE;
  const open = await readFirst([...(named ? [named] : []), ...folders.map((folder) => join(folder, "clouds.yaml"))]);
  const secure = await readFirst(folders.map((folder) => join(folder, "secure.yaml")));
  const entry = open?.clouds[name];
  if (entry === undefined) {
    throw unconfigured(
      `clouds.yaml has no cloud ${JSON.stringify(name)}`,
      "correct OS_CLOUD, or add the cloud to the file",
    );
  }
  const secrets = secure?.clouds[name];
  return { ...entry, ...secrets, auth: { ...entry.auth, ...secrets?.auth } };
}

function defaultFolders(environment: NodeJS.ProcessEnv): string[] {
  return [process.cwd(), join(environment.HOME ?? homedir(), ".config/openstack"), "/etc/openstack"];
}

async function readFirst(files: readonly string[]): Promise<z.infer<typeof fileSchema> | undefined> {
  for (const file of files) {
    const text = await readFile(file, "utf8").catch(() => undefined);
    if (text === undefined) continue;
    const result = fileSchema.safeParse(parseYaml(text));
    if (result.success) return result.data;
    const paths = result.error.issues.map(({ path }) => path.join(".") || "the whole");
    throw unconfigured(`${file} is not as clouds.yaml has it: ${paths.join(", ")}`, "correct these fields");
  }
  return undefined;
}

function parseYaml(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

function parseInterface(text: string): Cloud["interface"] {
  const parsed = z.enum(["public", "internal", "admin"]).safeParse(text.replace(/URL$/, ""));
  if (parsed.success) return parsed.data;
  throw unconfigured(`the interface ${JSON.stringify(text)} is unknown`, "use public, internal or admin");
}

function normalizeIdentityUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw unconfigured("auth_url is not an http or https URL", "correct it: https://auth.example.net/v3");
  }
  if (/\/v2\.0\/?$/.test(url.pathname))
    throw unconfigured("auth_url is Keystone's version 2", "use the URL of version 3");
  return url.href.replace(/\/+$/, "").replace(/(\/v3)?$/, "/v3");
}

function unconfigured(problem: string, hint: string): Failure {
  return new Failure({
    code: "cloud-unconfigured",
    kind: "configuration",
    message: `reading how to log in to the cloud: ${problem}`,
    hint,
  });
}
