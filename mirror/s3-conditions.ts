import { PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";

type Outcome = "refused" | "written" | "unknown-condition";

/** A tag that no object has. */
const noTag = '"00000000000000000000000000000000"';

/**
 * Whether a server keeps the conditions of a write, If-None-Match and If-Match. Some refuse them by name, some write as
 * if there were none: so one small object, whose content never changes, is written on conditions that do not hold.
 * @param target the bucket, and the object's key
 * @throws what the SDK throws for any other reason
 */
export async function keepsConditions(
  client: S3Client,
  target: { Bucket: string; Key: string },
  signal?: AbortSignal,
): Promise<boolean> {
  const put = async (condition: { IfNoneMatch: string } | { IfMatch: string }): Promise<Outcome> => {
    const command = new PutObjectCommand({ ...target, Body: content, ContentType: "text/plain", ...condition });
    try {
      await client.send(command, signal ? { abortSignal: signal } : {});
      return "written";
    } catch (error) {
      return readOutcome(error);
    }
  };
  const create = () => put({ IfNoneMatch: "*" });
  // The first one of all is rightly written.
  const first = await create();
  const second = first === "written" ? await create() : first;
  return second === "refused" && (await put({ IfMatch: noTag })) === "refused";
}

const content = Buffer.from("Metalcast writes this on conditions that do not hold, to see whether they are kept.\n");

/** 409: two at once, of whom the server lets one win (ConditionalRequestConflict). */
const refusals = new Set(["PreconditionFailed", "ConditionalRequestConflict"]);
const unknown = new Set(["NotImplemented", "InvalidArgument", "InvalidRequest"]);

function readOutcome(error: unknown): Outcome {
  if (error instanceof Error && refusals.has(error.name)) return "refused";
  if (error instanceof Error && unknown.has(error.name)) return "unknown-condition";
  throw error;
}
