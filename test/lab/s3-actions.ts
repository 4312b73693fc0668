import type { IncomingMessage } from "node:http";

/** Which action of S3 a request in path style is: `UploadPart`. Source: Amazon S3 API Reference. */
export function s3Action({ method = "", url = "" }: Pick<IncomingMessage, "method" | "url">): string {
  const { pathname, searchParams } = new URL(url, "http://server");
  const isBucket = pathname.split("/").filter(Boolean).length < 2;
  if (isBucket && searchParams.has("uploads")) return "ListMultipartUploads";
  if (isBucket) return `${bucketVerbs[method]}`;
  if (searchParams.has("uploads")) return "CreateMultipartUpload";
  if (searchParams.has("uploadId")) return `${partVerbs[method]}`;
  return `${objectVerbs[method]}`;
}

const bucketVerbs: Record<string, string> = { GET: "ListObjectsV2", HEAD: "HeadBucket", PUT: "CreateBucket" };
const partVerbs: Record<string, string> = {
  GET: "ListParts",
  PUT: "UploadPart",
  POST: "CompleteMultipartUpload",
  DELETE: "AbortMultipartUpload",
};
const objectVerbs: Record<string, string> = {
  GET: "GetObject",
  HEAD: "HeadObject",
  PUT: "PutObject",
  DELETE: "DeleteObject",
};
