import type { Reporter, TestModule } from "vitest/node";

/** Ends a run with one plain line that any CI can read: `120 passed, 0 failed`. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const count = (state: "passed" | "failed") =>
      modules.reduce((sum, { children }) => sum + [...children.allTests(state)].length, 0);
    process.stdout.write(`${count("passed")} passed, ${count("failed")} failed\n`);
  }
}
