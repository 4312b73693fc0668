import { inspect } from "node:util";

/**
 * A value that may be used but not shown: it prints, logs and serializes as its length only, so that a plan or an event
 * that holds one can be shown to anybody.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toJSON(): string {
    return `[hidden, ${Buffer.byteLength(this.#value)} bytes]`;
  }

  toString(): string {
    return this.toJSON();
  }

  [inspect.custom](): string {
    return this.toJSON();
  }
}

/** The text of a value that may be a secret, at the moment it is written to where it belongs. */
export function reveal(content: string | Secret): string {
  return content instanceof Secret ? content.reveal() : content;
}
