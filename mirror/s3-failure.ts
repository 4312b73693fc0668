import { asFailure, Failure, type FailureDetails } from "../common/failure.ts";
import { parseRetryAfter } from "./retry-after.ts";
import { actionOf, expiryErrors } from "./s3-client.ts";
import { describeRight } from "./s3-rights.ts";

/** What an S3 request was for: decides what a status means. */
export interface S3Request {
  /** For the message: "reading s3://images/a/b". */
  doing: string;
  /** Who was asked: the endpoint's URL, or AWS. */
  endpoint: string;
  bucket: string;
  /** Of the store's keys. */
  prefix: string;
  /** Asked of the bucket, not of an object in it. */
  ofBucket?: boolean;
  ifAbsent?: boolean | undefined;
  ifMatch?: string | undefined;
}

type Outcome = Omit<FailureDetails, "message" | "cause"> & { says: string };

const credentialErrors = new Set([
  "CredentialsProviderError",
  "InvalidAccessKeyId",
  "InvalidToken",
  "SignatureDoesNotMatch",
]);
const regionErrors = new Set([
  "AuthorizationHeaderMalformed",
  "IllegalLocationConstraintException",
  "PermanentRedirect",
]);

/**
 * Whatever the SDK throws becomes one of the store's Failures. By name and status only: servers other than AWS often
 * send no message. Source of names and statuses: Amazon S3 API Reference, "Error responses".
 */
export function s3Failure(error: unknown, request: S3Request): Failure {
  if (error instanceof Failure) return error;
  if (!(error instanceof Error) || !isAnswerOrNetwork(error)) return asFailure(error, request.doing);
  const { says, ...outcome } = classify(error.name, statusOf(error), request, error);
  return new Failure({ ...outcome, message: `${request.doing}: ${says}`, cause: error });
}

function classify(name: string, status: number | undefined, request: S3Request, error: Error): Outcome {
  const { endpoint, ifAbsent, ifMatch } = request;
  if (name === "NoSuchBucket" || (request.ofBucket && status === 404)) {
    return { code: "store-missing", kind: "configuration", says: "there is no such bucket", hint: createBucket };
  }
  if (name === "RequestTimeTooSkewed") {
    return {
      code: "store-denied",
      kind: "configuration",
      says: `the clock differs from that of ${endpoint}`,
      hint: setClock,
    };
  }
  // The answer to HEAD has no body that could say more.
  const isUnexplained = status === 400 && actionOf(error) === "HeadObject";
  if (expiryErrors.has(name) || isUnexplained) {
    const says = isUnexplained ? `${endpoint} answers 400, as it does to credentials that` : "the credentials";
    return { code: "store-denied", kind: "configuration", says: `${says} have expired`, hint: renewCredentials };
  }
  if (credentialErrors.has(name) || status === 401) {
    return {
      code: "store-denied",
      kind: "configuration",
      says: `${endpoint} refuses the credentials (${name})`,
      hint: checkCredentials,
    };
  }
  if (status === 403) {
    const action = actionOf(error) ?? "this";
    return {
      code: "store-denied",
      kind: "configuration",
      says: `${endpoint} does not allow ${action}`,
      hint: action === "HeadObject" ? `${giveRight(action, request)}; ${alsoList}` : giveRight(action, request),
      data: { action },
    };
  }
  if (regionErrors.has(name)) {
    return {
      code: "store-denied",
      kind: "configuration",
      says: `the bucket is in another region (${name})`,
      hint: setRegion,
    };
  }
  if (ifMatch !== undefined && (status === 412 || status === 404 || status === 409)) {
    return { code: "object-changed", kind: "failed", says: "the object has changed in the meantime" };
  }
  if (ifAbsent && status === 412) {
    return { code: "object-exists", kind: "failed", says: "there is such an object already" };
  }
  if (status === 404) return { code: "object-missing", kind: "failed", says: "there is no such object" };
  if (status === 416) {
    return { code: "object-short", kind: "integrity", says: "the object ends before the bytes that it should have" };
  }
  if (status === undefined || status === 409 || status === 429 || status >= 500) {
    const reason = status === undefined ? reasonOf(error) : `it answers ${status} ${name}`;
    return {
      code: "store-unreachable",
      kind: "retry",
      says: `no answer of use from ${endpoint}: ${reason}`,
      hint: checkEndpoint,
      ...retryAfterOf(error),
    };
  }
  return { code: "store-error", kind: "failed", says: `${endpoint} answers ${status} ${name}` };
}

const createBucket = "create the bucket, or correct the store's URL";
const setClock = "set this machine's clock";
const setRegion = "set AWS_REGION to the bucket's region";
const checkCredentials = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or AWS_PROFILE";
const renewCredentials =
  "get new ones and run it again, it goes on from there; what AWS_PROFILE, a container or an instance provides is renewed by itself";
const alsoList = "without s3:ListBucket, what is missing is denied as well";
const checkEndpoint = "check AWS_ENDPOINT_URL_S3 and the network, then run it again";

function giveRight(action: string, request: S3Request): string {
  return `have the credentials' policy allow ${describeRight(action, request)}, or check that they are the right ones`;
}

function retryAfterOf(error: Error): Pick<FailureDetails, "data"> {
  const response: unknown = "$response" in error ? error.$response : undefined;
  if (typeof response !== "object" || response === null || !("headers" in response)) return {};
  const headers = new Headers(Object.entries(response.headers ?? {}));
  const retryAfterMs = parseRetryAfter(headers.get("retry-after") ?? undefined);
  return retryAfterMs === undefined ? {} : { data: { retryAfterMs } };
}

/** The HTTP status, where a server answered at all. */
export function statusOf(error: Error): number | undefined {
  const metadata: unknown = "$metadata" in error ? error.$metadata : undefined;
  if (typeof metadata !== "object" || metadata === null || !("httpStatusCode" in metadata)) return undefined;
  return typeof metadata.httpStatusCode === "number" ? metadata.httpStatusCode : undefined;
}

/** What is neither is a defect of ours, or an interruption. */
function isAnswerOrNetwork(error: Error): boolean {
  return (
    statusOf(error) !== undefined ||
    "code" in error ||
    ["TimeoutError", "CredentialsProviderError"].includes(error.name)
  );
}

/** Errors of several addresses at once (AggregateError) have an empty message of their own. */
function reasonOf(error: Error): string {
  return error.message || ("code" in error ? String(error.code) : error.name);
}
