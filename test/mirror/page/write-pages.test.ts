import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { writePages } from "../../../mirror/page/write-pages.ts";
import { promote } from "../../../mirror/promote.ts";
import { publish } from "../../../mirror/publish.ts";
import type { Store } from "../../../mirror/store.ts";
import { changedStore } from "../changed-store.ts";
import { collect, gather } from "../gather.ts";
import { makeSampleImage, temporaryDirectory, writeSampleImage } from "../sample-image.ts";
import { startWritableStores } from "../writable-stores.ts";

const stores = await startWritableStores();
afterAll(stores.stop);
const emit = () => undefined;

async function publishVersion(store: Store, version: string, channel: string): Promise<void> {
  await using directory = await temporaryDirectory();
  await writeSampleImage(directory.path, makeSampleImage({ version }));
  await publish(store, join(directory.path), { emit, channel });
}

const text = async (store: Store, key: string) => (await collect(store.read(key))).toString();

test.each(stores.kinds)("the pages of %s tell what is listed, and again after a change", async (_, open) => {
  const { store } = await open();
  await publishVersion(store, "20261122.0", "stable");
  await publishVersion(store, "20261123.0", "candidate");
  await writePages(store, { emit });
  const keys = (await gather(store.list(""))).map(({ key }) => key);
  const written = [
    "images/debian-12/amd64/index.html",
    "index.html",
    "streams/v1/images.json",
    "streams/v1/index.json",
  ];
  expect(keys).toEqual(expect.arrayContaining(written));
  expect(await text(store, "index.html")).toMatch(/20261122\.0/);
  await promote(store, "debian-12:candidate", { arch: "amd64" });
  await writePages(store, { emit });
  expect(await text(store, "index.html")).toMatch(/20261123\.0/);
});

test("what changes under the writing is written once more", async () => {
  const [, open] = stores.kinds[0] ?? expect.unreachable();
  const { store } = await open();
  await publishVersion(store, "20261122.0", "stable");
  let changed = false;
  const changing = changedStore(store, {
    async write(key, body, options) {
      if (key === "index.html" && !changed) {
        changed = true;
        await publishVersion(store, "20261124.0", "stable");
      }
      return store.write(key, body, options);
    },
  });
  await writePages(changing, { emit });
  expect(await text(store, "index.html")).toMatch(/20261124\.0/);
});

test("an image whose statement is broken is left out, and said", async () => {
  const [, open] = stores.kinds[0] ?? expect.unreachable();
  const { store } = await open();
  await publishVersion(store, "20261122.0", "stable");
  await store.write("images/broken/amd64/channels.json", Buffer.from("{}"), { ifAbsent: true });
  const said: string[] = [];
  await writePages(store, { emit: (event) => event.kind === "note" && said.push(event.text) });
  expect(await text(store, "index.html")).toMatch(/20261122\.0/);
  expect(said).toEqual([expect.stringMatching(/^broken \(amd64\) is not on the pages: .*channels\.json/)]);
});

test("the page of an image that has no version any more goes, that of one that can't be read stays", async () => {
  const [, open] = stores.kinds[0] ?? expect.unreachable();
  const { store } = await open();
  await publishVersion(store, "20261122.0", "stable");
  const page = (name: string) => `images/${name}/amd64/index.html`;
  for (const name of ["gone", "broken"]) await store.write(page(name), Buffer.from("former"));
  await store.write("images/broken/amd64/channels.json", Buffer.from("{}"), { ifAbsent: true });
  await store.write("images/gone/amd64/20261101.0/index.html", Buffer.from("none of ours"));
  await writePages(store, { emit });
  const pages = (await gather(store.list(""))).map(({ key }) => key).filter((key) => key.endsWith("index.html"));
  expect(pages).toEqual([page("broken"), page("debian-12"), "images/gone/amd64/20261101.0/index.html", "index.html"]);
});
