import { describe, expect, test } from "vitest";
import { refreshMirror } from "../../../mirror/trust/refresh.ts";
import { rotateKeys } from "../../../mirror/trust/rotate.ts";
import { verify } from "../../../mirror/verify/verify.ts";
import { fileDirectory } from "../../file-directory.ts";
import { collect } from "../gather.ts";
import { MemoryStore } from "../sync/memory-store.ts";
import { contents, keysOf } from "../sync/unsigned-mirror.ts";
import { newMirror } from "../trust/new-mirror.ts";
import { archive, damage, newest, options, problems } from "./findings.ts";
import { cut, firstPrefix, flip, openSampleMirror, otherPrefix, overwrite } from "./sample-mirror.ts";

describe("metadata", () => {
  test("parts that are missing or damaged are repaired from the top down, where the other mirror has the same", async () => {
    const { store, root, copy } = await openSampleMirror(new MemoryStore());
    const before = await contents(store);
    const snapshot = await newest(store, "snapshot");
    const role = await newest(store, "debian-12");
    const list = (await keysOf(store, "images/rocky-9")).find((key) => key.endsWith("channels.json")) ?? "";
    await overwrite(store, snapshot, flip);
    await store.remove(role);
    await overwrite(store, list, cut);
    await store.remove(archive(otherPrefix));
    const found = await verify(store, { root, ...options });
    expect(found.findings).toMatchObject([
      { key: snapshot, problem: "refused", code: "metadata-mixed" },
      { key: snapshot, problem: "hash" },
    ]);
    const dry = await verify(store, { root, repairFrom: copy, dryRun: true, ...options });
    expect(problems(dry.repaired).map(([, key]) => key)).toEqual([list, archive(otherPrefix), role, snapshot].sort());
    expect(dry.ok).toBe(false);
    const repaired = await verify(store, { root, repairFrom: copy, ...options });
    expect(repaired.ok).toBe(true);
    expect(repaired.repaired).toEqual(dry.repaired);
    expect(await contents(store)).toEqual(before);
  });

  test("without good signatures nothing is repaired: the first finding says why", async () => {
    const { store, root, copy } = await openSampleMirror(new MemoryStore());
    await overwrite(store, "metadata/timestamp.json", (bytes) =>
      Buffer.from(bytes.toString().replace(/"sig": "./, (text) => `${text.slice(0, -1)}${text.endsWith("0") ? 1 : 0}`)),
    );
    await store.remove(archive(firstPrefix));
    await store.remove(await newest(store, "rocky-9"));
    const before = await contents(store);
    const found = await verify(store, { root, repairFrom: copy, ...options });
    expect(found.findings[0]).toMatchObject({
      key: "metadata/timestamp.json",
      problem: "refused",
      code: "signature-invalid",
    });
    expect(damage(found.findings)).toContainEqual(["missing", archive(firstPrefix)]);
    expect(found.repaired).toEqual([]);
    expect(await contents(store)).toEqual(before);
  });

  test("of another mirror's root all is refused; what is no root is no finding", async () => {
    const { store } = await openSampleMirror(new MemoryStore());
    const { root } = await newMirror(new MemoryStore(), { directory: fileDirectory });
    const { ok, findings } = await verify(store, { root, ...options });
    expect(ok).toBe(false);
    expect(findings[0]).toMatchObject({ problem: "refused", code: "key-unknown" });
    expect(damage(findings)).toContainEqual(["hash", "metadata/1.root.json"]);
    const invalid = verify(store, { root: "{}", ...options });
    await expect(invalid).rejects.toMatchObject({ code: "metadata-invalid" });
  });

  test("a pointer that is none says nothing of anything else", async () => {
    const { store, root } = await openSampleMirror(new MemoryStore());
    await overwrite(store, "metadata/timestamp.json", () => Buffer.from("<html>"));
    const found = await verify(store, { root, ...options });
    expect(found).not.toHaveProperty("version");
    expect(new Set(found.findings.map(({ key }) => key))).toEqual(new Set(["metadata/timestamp.json"]));
  });

  test("expired, it is refused, and what it leads to is checked all the same", async () => {
    const { store, ring, root } = await openSampleMirror(new MemoryStore());
    await refreshMirror(store, ring, { now: new Date(Date.now() - 8 * 86_400_000) });
    await store.remove(archive(firstPrefix));
    const { findings } = await verify(store, { root, ...options });
    expect(findings[0]).toMatchObject({ problem: "refused", code: "metadata-expired" });
    expect(damage(findings).slice(1)).toEqual([["missing", archive(firstPrefix)]]);
  });

  test("readers with an older root come to the pinned one", async () => {
    const { store, ring, root: oldest } = await openSampleMirror(new MemoryStore());
    for (const role of ["timestamp", "root", "snapshot"] as const) await rotateKeys(store, ring, role);
    const root = await ring.readRoot();
    for (const pinned of [oldest, root]) expect((await verify(store, { root: pinned, ...options })).ok).toBe(true);
    const former = (await verify(store, { root, ...options })).findings;
    const secondRoot = await collect(store.read("metadata/2.root.json"));
    await overwrite(store, "metadata/1.root.json", () => Buffer.from(""));
    await overwrite(store, "metadata/2.root.json", (bytes) =>
      Buffer.from(bytes.toString().replace(/"sig": "../, '"sig": "')),
    );
    expect(damage((await verify(store, { root, ...options })).findings)).toEqual([
      ["invalid", "metadata/1.root.json"],
      ["invalid", "metadata/2.root.json"],
    ]);
    await overwrite(store, "metadata/2.root.json", () => secondRoot);
    const { root: strange } = await newMirror(new MemoryStore(), { directory: fileDirectory });
    await overwrite(store, "metadata/1.root.json", () => Buffer.from(strange));
    expect((await verify(store, { root, ...options })).findings).toMatchObject([
      { key: "metadata/1.root.json", problem: "invalid", code: "key-unknown" },
      ...former,
    ]);
    await overwrite(store, "metadata/1.root.json", () => Buffer.from(oldest));
    await store.remove("metadata/2.root.json");
    expect(damage((await verify(store, { root, ...options })).findings)).toEqual([["missing", "metadata/2.root.json"]]);
    expect(damage((await verify(store, { root: oldest, ...options })).findings)).toEqual([
      ["refused", "metadata/timestamp.json"],
      ["missing", "metadata/2.root.json"],
    ]);
  });

  test("what expires first is told, also a root after the pinned one", async () => {
    const { store, ring, root } = await openSampleMirror(new MemoryStore());
    const now = new Date(Date.now() - 364 * 86_400_000);
    await rotateKeys(store, ring, "timestamp", { now });
    await refreshMirror(store, ring);
    const { expires, expiresFirst } = await verify(store, { root, ...options });
    expect(expiresFirst).toBe("root");
    expect(Date.parse(expires ?? "") - Date.now()).toBeLessThan(86_400_000);
  });

  test("what is no mirror is not verified", async () => {
    const { root } = await newMirror(new MemoryStore(), { directory: fileDirectory });
    const verifying = verify(new MemoryStore(), { root, ...options });
    await expect(verifying).rejects.toMatchObject({ code: "mirror-unsigned", kind: "configuration" });
  });
});
