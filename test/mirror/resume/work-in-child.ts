import { openStore } from "../../../mirror/open-store.ts";
import { publish } from "../../../mirror/publish.ts";
import type { S3Options } from "../../../mirror/s3-store.ts";
import { sync } from "../../../mirror/sync/sync.ts";

/** What the child is to do: publish a directory, or sync one store to another. */
export interface Work {
  verb: "publish" | "sync";
  /** A directory's path, or a store. */
  from: string | StorePlace;
  to: StorePlace;
}

export interface StorePlace {
  url: string;
  s3?: S3Options;
}

const emit = () => undefined;
const open = ({ url, s3 }: StorePlace) => openStore(url, s3 ? { s3 } : {});

/** work-in-child.ts WORK: does it, until it is killed. The work is JSON. */
const { verb, from, to } = JSON.parse(process.argv[2] ?? "") as Work;
if (verb === "publish") await publish(open(to), String(from), { emit });
else if (typeof from !== "string") await sync(open(from), open(to), { emit });
