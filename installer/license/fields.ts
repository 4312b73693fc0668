import { z } from "zod";
import { Secret } from "../../common/secret.ts";

/** It goes into a configuration file, or is an argument: neither may end there. */
export const oneLine = z.string().regex(/^\P{Cc}+$/u, "expected text on one line");

export const secretLine = z
  .instanceof(Secret)
  .refine((secret) => /^\P{Cc}+$/u.test(secret.reveal()), "expected a file with one line");

/** What a failed registration means for the installation. */
export const onFailureSchema = z.enum(["fail", "continue"]).default("fail");
