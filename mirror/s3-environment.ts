import { CONFIG_PREFIX_SEPARATOR, loadConfig } from "@smithy/core/config";
import { Failure } from "../common/failure.ts";
import type { S3Options } from "./s3-store.ts";

/**
 * The server, and how its buckets are addressed, by AWS's variables and its configuration file: AWS SDKs and Tools
 * Reference Guide, "Service-specific endpoints"; AWS CLI, "S3 Config", `addressing_style`.
 * @throws Failure `addressing-style-unknown` (configuration)
 */
export async function readS3Environment(): Promise<Pick<S3Options, "endpoint" | "pathStyle">> {
  const endpoint = await loadConfig<string | undefined>({
    environmentVariableSelector: (env) => env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL || undefined,
    configFileSelector: (profile, file) => {
      const services = file?.[["services", profile.services].join(CONFIG_PREFIX_SEPARATOR)];
      return services?.[["s3", "endpoint_url"].join(CONFIG_PREFIX_SEPARATOR)] ?? profile.endpoint_url;
    },
    default: undefined,
  })();
  const style = await loadConfig<string>({
    environmentVariableSelector: () => undefined,
    configFileSelector: (profile) => profile[["s3", "addressing_style"].join(CONFIG_PREFIX_SEPARATOR)],
    default: "auto",
  })();
  if (!["auto", "path", "virtual"].includes(style))
    throw new Failure({
      code: "addressing-style-unknown",
      kind: "configuration",
      message: `AWS's configuration file says addressing_style = ${style} below s3`,
      hint: "write path, virtual or auto there",
    });
  return { ...(endpoint && { endpoint }), ...(style !== "auto" && { pathStyle: style === "path" }) };
}
