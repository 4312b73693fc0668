import { expect, test } from "vitest";
import { describeCommands, describePlan } from "../../../installer/describe-plan.ts";
import { plan } from "../../../installer/plan.ts";
import type { Step } from "../../../installer/step.ts";
import { sampleDisk, sampleHardware, sampleImage, sampleJob } from "../samples.ts";

const planFor = (instance: object, logicalSectorBytes = 512) => {
  const disks = ["a", "b"].map((letter) => sampleDisk(letter, { logicalSectorBytes }));
  return plan(
    sampleJob({ instance: { hostname: "web-1", ...instance } }),
    sampleHardware({ disks }),
    sampleImage({ unpackedBytes: 2 ** 30 }),
  );
};

function stepOf<Kind extends Step["kind"]>(steps: readonly Step[], kind: Kind): Extract<Step, { kind: Kind }> {
  const step = steps.find((candidate): candidate is Extract<Step, { kind: Kind }> => candidate.kind === kind);
  if (!step) throw new Error(`the plan has no step of the kind ${kind}`);
  return step;
}

test.each([
  { sectorBytes: 512, format: "iso9660", shown: "write ISO 9660 config-2" },
  { sectorBytes: 4096, format: "fat", shown: "write FAT config-2" },
])("disks with sectors of $sectorBytes bytes get $format", ({ sectorBytes, format, shown }) => {
  const made = planFor({}, sectorBytes);
  expect(stepOf(made.steps, "config-drive")).toMatchObject({ format, sizeBytes: 2 ** 20 });
  expect(describeCommands(made)).toContain(shown);
});

test("the partition is as large as the user data needs", () => {
  const made = planFor({ userData: "x".repeat(3 * 2 ** 20) });
  expect(stepOf(made.steps, "config-drive").sizeBytes).toBe(4 * 2 ** 20);
});

test("a network with bridges is written to the target, any other to the config drive", () => {
  const lan = { ethernets: { lan0: { mac: "52:54:00:00:00:01" } } };
  const where = (network: object) => {
    const { steps } = planFor({ network });
    const targetFiles = steps.flatMap((step) =>
      step.kind === "write-files" ? step.files.map(({ path }) => path) : [],
    );
    return {
      inTarget: targetFiles.includes("/etc/cloud/cloud.cfg.d/99-metalcast-network.cfg"),
      onDrive: stepOf(steps, "config-drive").files.some(({ path }) => path.endsWith("/network_data.json")),
    };
  };
  expect(where(lan)).toEqual({ inTarget: false, onDrive: true });
  const bridges = { br0: { links: ["lan0"], dhcp4: true } };
  expect(where({ ...lan, bridges })).toEqual({ inTarget: true, onDrive: false });
});

test("a config drive on a disk that stays does not win over ours, and that is told", () => {
  const old = sampleDisk("c", { configDriveLabels: ["/dev/sdc3"] });
  const job = sampleJob({
    disks: { count: 2, match: { serial: ["A", "B"] } },
    instance: { hostname: "web-1", userData: "#!/bin/sh\necho hunter2\n" },
  });
  const made = plan(job, sampleHardware({ disks: [sampleDisk("a"), sampleDisk("b"), old] }), sampleImage());
  expect(made.warnings).toEqual([expect.stringMatching(/^\/dev\/sdc3 of \S+_C has the label config-2/)]);
  expect(describePlan(made)).toContain("warning     /dev/sdc3");
  const [configure] = made.steps.filter(({ name }) => name === "configure");
  const files = configure?.kind === "write-files" ? configure.files : [];
  const seeds = files.filter(({ path }) => path.startsWith("/var/lib/cloud/seed/config_drive/"));
  expect(seeds).toContainEqual({
    path: "/var/lib/cloud/seed/config_drive/openstack/latest/meta_data.json",
    mode: 0o600,
    content: expect.stringContaining("web-1"),
  });
  expect(JSON.stringify(made)).not.toContain("hunter2");
});

test("one on a disk that is wiped is no matter", () => {
  const disks = ["a", "b"].map((letter) => sampleDisk(letter, { configDriveLabels: [`/dev/sd${letter}3`] }));
  expect(plan(sampleJob(), sampleHardware({ disks }), sampleImage()).warnings).toEqual([]);
});
