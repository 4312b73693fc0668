import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import type { Emit } from "../../common/event.ts";
import { renderLines } from "../../common/render.ts";

/**
 * The log of one image's night: plain lines. It takes the place of the log of the night before.
 */
export class ImageLog implements AsyncDisposable {
  readonly write: Emit;
  readonly #end: () => Promise<unknown>;

  constructor(path: string) {
    const output = createWriteStream(path, { mode: 0o644 });
    // A log that can't be written is no reason to stop a build.
    const ended = finished(output).catch(() => undefined);
    const render = renderLines(output);
    this.write = (event) => {
      if (output.writable) render(event);
    };
    this.#end = () => {
      output.end();
      return ended;
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }
}
