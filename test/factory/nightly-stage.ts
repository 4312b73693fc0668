import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect } from "vitest";
import { type Event, eventSchema } from "../../common/event.ts";
import type { NightlySummary } from "../../factory/nightly/summary.ts";
import { type NightlyOptions, nightly } from "../../factory/nightly.ts";
import { listImages } from "../../mirror/list-images.ts";
import { openStore } from "../../mirror/open-store.ts";
import type { Store } from "../../mirror/store.ts";
import { temporaryDirectory } from "../mirror/sample-image.ts";
import { nightlyImage, pretendToBuild } from "./nightly-image.ts";

export const hour = 3_600_000;
export const debian = { image: nightlyImage("debian-12") };
export const rocky = { image: nightlyImage("rocky-9") };

export type Build = NonNullable<NonNullable<NightlyOptions["builders"]>["build"]>;

/** What a test's nights share: new for each test. */
export interface Stage {
  directory: string;
  store: Store;
  /** What the nights take for now. */
  clock: Date;
  /** The vendors' checksums by image. */
  vendor: Record<string, string>;
  events: Event[];
  /** A build that is none. */
  pretend: Build;
  /** A night of both images with such builds and a boot test that passes, but for what is given. */
  spend(changes?: Partial<NightlyOptions>): Promise<NightlySummary>;
  channelsOf(name: string): Promise<Record<string, string> | undefined>;
}

export function useStage(): Stage {
  const stage: Stage = {
    directory: "",
    store: openStore("file:///nowhere"),
    clock: new Date(0),
    vendor: {},
    events: [],
    pretend: (options) =>
      pretendToBuild(options, { checksum: stage.vendor[options.image.name] ?? "", date: stage.clock }),
    spend: (changes = {}) =>
      nightly({
        store: stage.store,
        images: [debian, rocky],
        work: join(stage.directory, "work"),
        diskPerBuildBytes: 1,
        now: () => stage.clock,
        bootTest: async () => undefined,
        emit: (event) => stage.events.push(eventSchema.parse(event)),
        ...changes,
        builders: {
          build: stage.pretend,
          findChecksum: async ({ name }) => stage.vendor[name] ?? expect.unreachable(),
          ...changes.builders,
        },
      }),
    channelsOf: async (name) => (await listImages(stage.store)).find((image) => image.name === name)?.channels,
  };
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  beforeEach(async () => {
    directory = await temporaryDirectory();
    await mkdir(join(directory.path, "mirror"));
    Object.assign(stage, {
      directory: directory.path,
      store: openStore(pathToFileURL(join(directory.path, "mirror")).href),
      clock: new Date("2026-11-24T03:00:00Z"),
      vendor: { "debian-12": "sha512:d1", "rocky-9": "sha512:r1" },
      events: [],
    });
  });
  afterEach(() => directory[Symbol.asyncDispose]());
  return stage;
}

export const outcomes = ({ images }: NightlySummary) => images.map(({ name, outcome }) => [name, outcome]);
