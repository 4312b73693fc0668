/**
 * The rights that an action of S3 wants, where they are not called as the action is. Source: Amazon Simple Storage
 * Service, "Required permissions for Amazon S3 API operations".
 */
const rights: Readonly<Record<string, string>> = {
  CompleteMultipartUpload: "PutObject",
  CreateMultipartUpload: "PutObject",
  HeadBucket: "ListBucket",
  HeadObject: "GetObject",
  ListMultipartUploads: "ListBucketMultipartUploads",
  ListObjectsV2: "ListBucket",
  UploadPart: "PutObject",
};

const ofBuckets = new Set(["ListBucket", "ListBucketMultipartUploads"]);

/**
 * What to write into a policy so that an action is allowed.
 * @param place the bucket, and the prefix of the store's keys: "" or a path that ends in a slash
 */
export function describeRight(action: string, { bucket, prefix }: { bucket: string; prefix: string }): string {
  const right = rights[action] ?? action;
  const resource = ofBuckets.has(right) ? bucket : `${bucket}/${prefix}*`;
  return `s3:${right} on arn:aws:s3:::${resource}`;
}
