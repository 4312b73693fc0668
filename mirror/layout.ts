/** What of a manifest says where the archive's bytes lie. */
export interface Layout {
  files: readonly { path: string; sizeBytes: number }[];
  frames: readonly { offset: number; sizeBytes: number; plainBytes: number }[];
  shards: readonly { firstFrame: number; frameCount: number; plainBytes: number }[];
}

export interface LayoutProblem {
  path: (string | number)[];
  message: string;
}

/**
 * Whether the frames tile the archive and the shards tile the frames, without a gap or an overlap: so that what is
 * verified frame by frame is all of the archive.
 * @returns every problem, none if all is well
 */
export function findLayoutProblems(layout: Layout): LayoutProblem[] {
  return [...findFileProblems(layout), ...findFrameProblems(layout), ...findShardProblems(layout)];
}

function* findFileProblems({ files }: Layout): Generator<LayoutProblem> {
  const seen = new Set<string>();
  for (const [index, { path }] of files.entries()) {
    if (seen.has(path)) yield { path: ["files", index, "path"], message: `${path} is listed twice` };
    if (path === "manifest.json") yield { path: ["files", index, "path"], message: "a manifest can't list itself" };
    seen.add(path);
  }
}

function* findFrameProblems({ files, frames }: Layout): Generator<LayoutProblem> {
  let end = 0;
  for (const [index, { offset, sizeBytes }] of frames.entries()) {
    if (offset !== end) yield { path: ["frames", index, "offset"], message: `expected ${end}, found ${offset}` };
    end = offset + sizeBytes;
  }
  const archive = files.find(({ path }) => path === "image.tar.zst");
  if (!archive) {
    yield { path: ["files"], message: "image.tar.zst is missing" };
  } else if (archive.sizeBytes !== end) {
    yield { path: ["frames"], message: `they end at ${end}, image.tar.zst has ${archive.sizeBytes} bytes` };
  }
}

function* findShardProblems({ frames, shards }: Layout): Generator<LayoutProblem> {
  let next = 0;
  for (const [index, { firstFrame, frameCount, plainBytes }] of shards.entries()) {
    if (firstFrame !== next) {
      yield { path: ["shards", index, "firstFrame"], message: `expected ${next}, found ${firstFrame}` };
    }
    next = firstFrame + frameCount;
    const sum = frames.slice(firstFrame, next).reduce((total, frame) => total + frame.plainBytes, 0);
    if (plainBytes !== sum) {
      yield { path: ["shards", index, "plainBytes"], message: `its frames have ${sum}, it says ${plainBytes}` };
    }
  }
  if (next !== frames.length) yield { path: ["shards"], message: `they hold ${next} of ${frames.length} frames` };
}
