import { z } from "zod";

/** RFC 1123 section 2.1, and RFC 1035 section 2.3.4 for the lengths. A name may carry its domain. */
export const hostname = z
  .string()
  .max(253)
  .regex(
    /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/i,
    "expected letters, digits and hyphens, such as web-1 or web-1.example.net",
  );
