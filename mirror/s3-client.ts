import { S3Client } from "@aws-sdk/client-s3";
import type { S3Options } from "./s3-store.ts";

/** Which request an error has ended: `UploadPart`. */
const actions = new WeakMap<Error, string>();

/** The name of the S3 action that an error of a client of ours has ended, as rights are given for it or for its kind. */
export function actionOf(error: Error): string | undefined {
  return actions.get(error);
}

/**
 * A client of any server that speaks S3. It goes on with new credentials, where its source has any, when the server
 * says that those it had have expired; the clock's difference to the server's it corrects by itself.
 */
export function makeS3Client(options: S3Options): S3Client {
  const { endpoint } = options;
  const client = new S3Client({
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
    region: options.region ?? askOnce(regionOfChain),
    forcePathStyle: options.pathStyle ?? endpoint !== undefined,
    // The default CRC32 trailers break several servers; every byte that counts is checked against a SHA-256 of ours.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    maxAttempts: 4,
    requestHandler: { connectionTimeout: 10_000, socketTimeout: options.stallMs ?? defaultStallMs },
  });
  client.middlewareStack.add(
    (next, { commandName = "" }) =>
      async (args) => {
        const used = await client.config.credentials().catch(() => undefined);
        try {
          return await next(args).catch(async (error: unknown) => {
            if (await hasNewCredentials(client, used, error)) return next(args);
            throw error;
          });
        } catch (error) {
          if (error instanceof Error) actions.set(error, commandName.replace(/Command$/, ""));
          throw error;
        }
      },
    { step: "initialize", name: "metalcastActions" },
  );
  return client;
}

/** How long nothing may come of an answer, or next to nothing. */
export const defaultStallMs = 60_000;

/** Amazon S3 API Reference, "Error responses". */
export const expiryErrors: ReadonlySet<string> = new Set(["ExpiredToken", "TokenRefreshRequired"]);

type Credentials = Awaited<ReturnType<S3Client["config"]["credentials"]>>;

async function hasNewCredentials(client: S3Client, used: Credentials | undefined, error: unknown): Promise<boolean> {
  if (!used || !(error instanceof Error) || !expiryErrors.has(error.name)) return false;
  const isNew = ({ accessKeyId, sessionToken }: Credentials) =>
    accessKeyId !== used.accessKeyId || sessionToken !== used.sessionToken;
  // Another request may have been told before.
  return isNew(await client.config.credentials()) || isNew(await client.config.credentials({ forceRefresh: true }));
}

/** The SDK asks for each request. */
function askOnce<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return () => (answer ??= ask());
}

/** What the AWS chain says; servers other than AWS rarely care, and us-east-1 is what they expect then. */
async function regionOfChain(): Promise<string> {
  return new S3Client({}).config.region().catch(() => "us-east-1");
}
