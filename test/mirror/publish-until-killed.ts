import { openStore } from "../../mirror/open-store.ts";
import { publish } from "../../mirror/publish.ts";
import { KeyRing } from "../../mirror/trust/key-ring.ts";
import { signWith } from "../../mirror/trust/open-mirror.ts";
import { changedStore } from "./changed-store.ts";

/**
 * publish-until-killed.ts STORE DIRECTORY MOMENT: publishes, and dies by SIGKILL at the given moment. Moments are
 * counted from 0: before every request to the store, before every piece of a body and before a body's end. Where
 * METALCAST_KEYS names keys, what is said of the image is signed.
 */
const [url = "", directory = "", moment = ""] = process.argv.slice(2);
let passed = 0;

async function pass(): Promise<void> {
  if (passed === Number(moment)) {
    process.kill(process.pid, "SIGKILL");
    await new Promise(() => undefined);
  }
  passed += 1;
}

/**
 * In pieces so small that a body has several, the last of which comes after the archive's hash is known to be right.
 */
async function* inPieces(body: AsyncIterable<Uint8Array>) {
  for await (const chunk of body) {
    const pieceBytes = Math.ceil(chunk.byteLength / 2);
    for (let start = 0; start < chunk.byteLength; start += pieceBytes) {
      await pass();
      yield chunk.subarray(start, start + pieceBytes);
    }
  }
  await pass();
}

const store = openStore(url);
const dying = changedStore(store, {
  async stat(key, signal) {
    await pass();
    return store.stat(key, signal);
  },
  async write(key, body, options) {
    await pass();
    return store.write(key, body instanceof Uint8Array ? body : inPieces(body), options);
  },
});
const keys = process.env.METALCAST_KEYS;
const mirror = keys === undefined ? dying : await signWith(await KeyRing.open(keys), dying);
await publish(mirror, directory, { emit: () => undefined });
