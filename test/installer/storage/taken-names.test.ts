import { expect, test } from "vitest";
import { Secret } from "../../../common/secret.ts";
import { plan } from "../../../installer/plan.ts";
import type { StackedDevice } from "../../../installer/wipe/stack.ts";
import { sampleDevice, sampleDisk, sampleHardware, sampleImage, sampleJob } from "../samples.ts";

const storage = { preset: "raid1", lvm: true, encrypt: { passphrase: new Secret("hunter2") } };
const [a, b, c] = ["a", "b", "c"].map((letter) => sampleDisk(letter));
const disks = [a, b, c].map((disk) => disk ?? expect.unreachable());
const group = (name: string) => ({ kind: "volume group" as const, name, uuid: `uuid-of-${name}` });

/** What the plan makes of a stack over three disks, of which the job takes the first two. */
function planOn(...devices: StackedDevice[]) {
  const whole = disks.map(({ name, sizeBytes }) => sampleDevice(name, "disk", [], { sizeBytes }));
  const stack = [...whole.filter(({ name }) => !devices.some((device) => device.name === name)), ...devices];
  const job = sampleJob({ storage, disks: { count: 2, match: { serial: ["A", "B"] } }, wipe: { held: "take-apart" } });
  const preinstalled = ["cloud-init", "cryptsetup", "cryptsetup-initramfs", "lvm2", "mdadm"];
  return () => plan(job, sampleHardware({ disks, stack }), sampleImage({ preinstalled }));
}

const onC = (overrides: Partial<StackedDevice>) => sampleDevice("/dev/sdc", "disk", [], overrides);

test.each([
  ["volume-group-name-taken", [onC({ partOf: [group("system")] })], /vgrename uuid-of-system NAME/],
  [
    "volume-group-name-taken",
    ["/dev/sda", "/dev/sdc"].map((name) => sampleDevice(name, "disk", [], { partOf: [group("system")] })),
    /vgrename/,
  ],
  [
    "mapping-name-taken",
    [sampleDevice("/dev/dm-0", "mapping", ["/dev/sdc"], { mappingName: "secret" })],
    /cryptsetup close/,
  ],
])("%s", (code, devices, hint) => {
  const message = expect.stringContaining("on ata-SAMPLE_C (8.0 GiB), which the job does not take");
  expect(planOn(...devices)).toThrow(
    expect.objectContaining({ code, kind: "configuration", message, hint: expect.stringMatching(hint) }),
  );
});

test("other names elsewhere are nobody's business, and the same on disks that are wiped neither", () => {
  const mapping = sampleDevice("/dev/dm-0", "mapping", ["/dev/sda"], { mappingName: "secret" });
  const ours = sampleDevice("/dev/sda", "disk", [], { partOf: [group("system")] });
  expect(planOn(ours, mapping, onC({ partOf: [group("data")] }))).not.toThrow();
});
