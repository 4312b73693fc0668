import { defineConfig } from "vitest/config";

/** Tests that run real servers, most of which keep one processor busy. */
const booting = { maxWorkers: 2, testTimeout: 30 * 60_000, hookTimeout: 45 * 60_000, maxConcurrency: 2 };

export default defineConfig({
  test: {
    reporters: ["default", "./test/closing-line.ts"],
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/e2e/**"],
          // All processors: by itself vitest leaves one free.
          maxWorkers: "100%",
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      { test: { name: "lab", include: ["test/e2e/*.test.ts"], ...booting } },
      // Some prepare by an hour of installations.
      { test: { name: "matrix", include: ["test/e2e/matrix/*.test.ts"], ...booting, hookTimeout: 4 * 60 * 60_000 } },
    ],
  },
});
