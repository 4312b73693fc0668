import { defineConfig } from "vitest/config";

/** Unit and contract tests are quick; lab tests boot real servers, one file at a time. */
export default defineConfig({
  test: {
    reporters: ["default", "./test/closing-line.ts"],
    projects: [
      { test: { name: "unit", include: ["test/**/*.test.ts"], exclude: ["test/e2e/**"], testTimeout: 60_000 } },
      {
        test: {
          name: "lab",
          include: ["test/e2e/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 20 * 60_000,
          hookTimeout: 30 * 60_000,
        },
      },
    ],
  },
});
