import { expect, test } from "vitest";
import { resolveJobImage } from "../../installer/resolve-job-image.ts";
import { DirectoryStore } from "../../mirror/directory-store.ts";
import { temporaryDirectory } from "../mirror/sample-image.ts";
import { newMirror } from "../mirror/trust/new-mirror.ts";

test("looking a published image up ends when it is interrupted", async () => {
  const reason = new Error("interrupted");
  await using directory = await temporaryDirectory();
  const { root: mirrorRoot } = await newMirror(new DirectoryStore(directory.path), { directory: directory.path });
  const job = { image: "debian-12", mirror: "http://127.0.0.1:9/mirror", mirrorRoot };
  await expect(resolveJobImage(job, { signal: AbortSignal.abort(reason) })).rejects.toSatisfy(
    (error: unknown) => error === reason || (error instanceof Error && error.cause === reason),
  );
});

test("an image of one's own wants something to open it with", async () => {
  const image = { file: "/srv/web.qcow2", sha256: "0".repeat(64) };
  await expect(resolveJobImage({ image })).rejects.toMatchObject({ code: "own-image-unsupported" });
});
