import { describe, expect, test } from "vitest";
import type { Event } from "../../../common/event.ts";
import { Failure } from "../../../common/failure.ts";
import { verify } from "../../../mirror/verify/verify.ts";
import { changedStore } from "../changed-store.ts";
import { MemoryStore } from "../sync/memory-store.ts";
import { contents } from "../sync/unsigned-mirror.ts";
import { archive, damage, options, problems } from "./findings.ts";
import { cut, firstPrefix, flip, openSampleMirror, overwrite, secondPrefix } from "./sample-mirror.ts";

describe("repair", () => {
  const damaged = async () => {
    const opened = await openSampleMirror(new MemoryStore());
    await overwrite(opened.store, archive(firstPrefix), flip);
    await opened.store.remove(archive(secondPrefix));
    return opened;
  };

  test("a dry run says what would be, and changes nothing", async () => {
    const { store, root, copy } = await damaged();
    await overwrite(copy, archive(secondPrefix), flip);
    const before = await contents(store);
    const dry = await verify(store, { root, repairFrom: copy, dryRun: true, ...options });
    expect(problems(dry.repaired)).toEqual([["hash", archive(firstPrefix)]]);
    expect(damage(dry.findings)).toHaveLength(2);
    expect(await contents(store)).toEqual(before);
  });

  test.each([
    ["flipped", flip],
    ["cut", cut],
  ])("what the other mirror has %s, too, stays as it is, and a finding", async (_, change) => {
    const { store, root, copy } = await damaged();
    for (const prefix of [firstPrefix, secondPrefix]) await overwrite(copy, archive(prefix), change);
    const before = await contents(store);
    const events: Event[] = [];
    const emitting = { ...options, emit: (event: Event) => events.push(event) };
    const found = await verify(store, { root, repairFrom: copy, ...emitting });
    expect(damage(found.findings)).toEqual([
      ["hash", archive(firstPrefix)],
      ["missing", archive(secondPrefix)],
    ]);
    expect(found.repaired).toEqual([]);
    expect(await contents(store)).toEqual(before);
    const said = events.flatMap((event) => (event.kind === "note" ? [event.text] : []));
    expect(said.join("\n")).toContain(`${archive(firstPrefix)} can't be repaired from memory:: `);
  });

  test("what is damaged is removed before anything is written there, which is told; keys are never written twice", async () => {
    const { store, root, copy } = await damaged();
    const log: string[] = [];
    const watching = changedStore(store, {
      remove: async (key) => {
        log.push(`remove ${key}`);
        return store.remove(key);
      },
      write: async (key, body, writeOptions) => {
        log.push(`write ${key} ${writeOptions?.ifAbsent === true}`);
        return store.write(key, body, writeOptions);
      },
    });
    const events: Event[] = [];
    await verify(watching, { root, repairFrom: copy, ...options, emit: (event) => events.push(event) });
    expect(log.filter((line) => line.includes(firstPrefix ?? ""))).toEqual([
      `remove ${archive(firstPrefix)}`,
      `write ${archive(firstPrefix)} true`,
    ]);
    expect(log).toHaveLength(3);
    expect(events).toContainEqual(
      expect.objectContaining({ kind: "note", text: expect.stringContaining("removing the damaged") }),
    );
  });

  test("who may not write is told at once", async () => {
    const { store, root, copy } = await damaged();
    const denied = () =>
      Promise.reject(new Failure({ code: "store-denied", kind: "configuration", message: "no right" }));
    const readOnly = changedStore(store, { write: denied, remove: denied });
    const verifying = verify(readOnly, { root, repairFrom: copy, ...options });
    await expect(verifying).rejects.toMatchObject({ code: "store-denied" });
  });
});
