import type { z } from "zod";

type Issue = z.core.$ZodIssue;

/**
 * What is wrong with a job, a line a field: `disks.match.size: "big" is not a size`. Where a field has several forms, it
 * is told what is wrong with the one that was meant.
 */
export function describeProblems(issues: readonly Issue[]): string[] {
  return issues.flatMap(flatten).map(({ path, message }) => `${path.join(".") || "(top)"}: ${message}`);
}

interface Problem {
  path: PropertyKey[];
  message: string;
  /** It has the wrong form altogether: most likely another form was meant. */
  isFormWrong: boolean;
}

function flatten(issue: Issue): Problem[] {
  const { path } = issue;
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    const forms = issue.errors.map((branch) => branch.flatMap(flatten));
    const [meant = []] = forms.sort((a, b) => countWrongForms(a) - countWrongForms(b));
    return meant.map((problem) => ({ ...problem, path: [...path, ...problem.path] }));
  }
  const message = issue.code === "invalid_key" ? (issue.issues[0]?.message ?? issue.message) : issue.message;
  return [{ path, message, isFormWrong: ["invalid_type", "unrecognized_keys", "invalid_key"].includes(issue.code) }];
}

function countWrongForms(problems: readonly Problem[]): number {
  return problems.filter(({ isFormWrong }) => isFormWrong).length;
}
