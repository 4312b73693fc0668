import { defineConfig } from "vitest/config";

/** Tests that boot real servers: one file at a time, since each of them keeps the machine busy. */
const booting = { fileParallelism: false, testTimeout: 20 * 60_000, hookTimeout: 30 * 60_000, maxConcurrency: 2 };

export default defineConfig({
  test: {
    reporters: ["default", "./test/closing-line.ts"],
    projects: [
      { test: { name: "unit", include: ["test/**/*.test.ts"], exclude: ["test/e2e/**"], testTimeout: 60_000 } },
      { test: { name: "lab", include: ["test/e2e/*.test.ts"], ...booting } },
      { test: { name: "matrix", include: ["test/e2e/matrix/*.test.ts"], ...booting } },
    ],
  },
});
