import { expect, test } from "vitest";
import { DirectoryStore } from "../../../mirror/directory-store.ts";
import { listImages } from "../../../mirror/list-images.ts";
import { publish } from "../../../mirror/publish.ts";
import { resolveImage } from "../../../mirror/resolve.ts";
import { openMirror } from "../../../mirror/trust/open-mirror.ts";
import { fileDirectory } from "../../file-directory.ts";
import { makeSampleImage, temporaryDirectory, writeSampleImage } from "../sample-image.ts";
import { newMirror } from "./new-mirror.ts";

const arch = "amd64";
const emit = () => undefined;

test("a reader with the pinned root finds what was published with the keys", async () => {
  await using directory = await temporaryDirectory();
  const store = new DirectoryStore(directory.path);
  const { ring, mirror } = await newMirror(store, { directory: fileDirectory });
  await using image = await temporaryDirectory();
  await writeSampleImage(image.path, makeSampleImage());
  await publish(mirror, image.path, { emit });
  const reader = openMirror(store.url, { root: await ring.readRoot() });
  expect((await resolveImage(reader, "debian-12", { arch })).manifest.version).toBe("20261123.0");
  expect(await listImages(reader)).toMatchObject([{ name: "debian-12", channels: { stable: "20261123.0" } }]);
});
