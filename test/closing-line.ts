import type { SerializedError } from "vitest";
import type { Reporter, TestModule } from "vitest/node";

/**
 * Ends a run with plain lines that any CI can read, also where it keeps a log's end alone: what failed, each in a line
 * with the first one of its error, then `120 passed, 1 failed`.
 */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const of = (state: "passed" | "failed") => modules.flatMap(({ children }) => [...children.allTests(state)]);
    const failures = [
      ...modules.map((module) => [module.relativeModuleId, module.errors()] as const),
      ...[...modules.flatMap(({ children }) => [...children.allSuites()]), ...of("failed")].map(
        (task) =>
          [
            `${task.module.relativeModuleId} > ${task.fullName}`,
            (task.type === "suite" ? task.errors() : task.result().errors) ?? [],
          ] as const,
      ),
      ["outside any test", unhandledErrors] as const,
    ];
    // Whatever was thrown need be no error, and have no message.
    for (const [name, errors] of failures)
      for (const { message } of errors) process.stdout.write(`failed: ${name}: ${String(message).split("\n")[0]}\n`);
    process.stdout.write(`${of("passed").length} passed, ${of("failed").length} failed\n`);
  }
}
