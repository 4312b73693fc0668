import type { PhoneHomeReport } from "../../../installer/phone-home/report.ts";

/** A report as a server sends it. */
export const report = (changes: Partial<PhoneHomeReport> = {}): PhoneHomeReport => ({
  version: 1,
  instanceId: "server-1",
  hostname: "web-1",
  sshd: "answers",
  sshHostKeys: [`SHA256:${"a".repeat(43)}`],
  cloudInit: "done",
  bootSeconds: 42.5,
  bootId: "5a7c7c56-2b38-4cda-8e06-be26d1266120",
  ...changes,
});
