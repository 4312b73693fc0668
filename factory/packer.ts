import { Failure } from "../common/failure.ts";

/** What one line of Packer's `-machine-readable` output means to us. */
export type PackerLine =
  | { kind: "script"; script: string }
  | { kind: "output"; text: string }
  | { kind: "step-failed" }
  | { kind: "error"; text: string }
  | { kind: "other" };

/**
 * Reads `TIMESTAMP,TARGET,TYPE,DATA...`, where commas and line ends in the data are spelled out
 * (Packer, "Machine-Readable Output").
 */
export function parsePackerLine(line: string): PackerLine {
  const [, , type, ...data] = line.split(",").map(unescapeData);
  if (type === "error") return { kind: "error", text: onOneLine(data.join(",")) };
  if (type !== "ui") return { kind: "other" };
  const text = data.slice(1).join(",");
  const script = /^==> [\w.-]+: (?:Running local shell script|Provisioning with shell script): (.+)$/.exec(text)?.[1];
  if (script !== undefined) return { kind: "script", script };
  if (/^==> [\w.-]+: Provisioning step had errors/.test(text)) return { kind: "step-failed" };
  // On standard error there are scripts' warnings, too: they are output.
  const output = /^(?:==>| {3}) [\w.-]+: (.*\S)/.exec(text)?.[1];
  if (output !== undefined) return { kind: "output", text: output };
  // What is wrong with the template has no line of type `error`; the summary of a failed build would only repeat one.
  const isOwnError = data[0] === "error" && !/^\s*(?:==>|-->|Build ')/.test(text);
  return isOwnError ? { kind: "error", text: onOneLine(text) } : { kind: "other" };
}

function unescapeData(text: string): string {
  return text.replaceAll("%!(PACKER_COMMA)", ",").replaceAll("\\n", "\n").replaceAll("\\r", "");
}

function onOneLine(text: string): string {
  return text.trim().replaceAll(/\s+/g, " ");
}

/** Follows a build: which script runs, and its last lines, for the error if it fails. */
export class PackerProgress {
  readonly #onText: (text: string) => void;
  #script = "";
  #lastLines: string[] = [];
  #errors: string[] = [];
  #isStepFailed = false;
  /** Of Packer's own crash, say. */
  #otherLines: string[] = [];

  constructor(onText: (text: string) => void) {
    this.#onText = onText;
  }

  readonly read = (line: string): void => {
    const parsed = parsePackerLine(line);
    if (parsed.kind === "script") {
      // The template may lie in a folder of passing things: its own folders are the name.
      this.#script = parsed.script.replace(/^.*\/(?=(?:scripts|guest)\/)/, "");
      this.#lastLines = [];
      this.#onText(`running ${this.#script}`);
    } else if (parsed.kind === "output") {
      // What follows a failure is Packer's tidying up.
      if (!this.#isStepFailed) this.#lastLines = [...this.#lastLines, parsed.text].slice(-12);
      this.#onText(parsed.text);
    } else if (parsed.kind === "step-failed") {
      this.#isStepFailed = true;
    } else if (parsed.kind === "error") {
      this.#errors.push(parsed.text);
    } else if (line.trim() !== "") {
      this.#otherLines = [...this.#otherLines, onOneLine(unescapeData(line))].slice(-12);
    }
  };

  /** What went wrong, once Packer itself has said that it failed: its own exit code is always 1. */
  failure(cause: unknown): Failure {
    const told = [...this.#lastLines, ...this.#errors];
    const lines = told.length > 0 ? told : this.#otherLines;
    return new Failure({
      code: "customize-failed",
      kind: "failed",
      message: `customizing the image: ${this.#script || "packer"} failed: ${lines.slice(-6).join(" | ")}`,
      hint: "the script's whole output is above; nothing of this build was kept",
      data: { script: this.#script, lastLines: lines },
      cause,
    });
  }
}
