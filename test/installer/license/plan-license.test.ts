import { describe, expect, test } from "vitest";
import { Secret } from "../../../common/secret.ts";
import { describeCommands, describePlan } from "../../../installer/describe-plan.ts";
import { plan } from "../../../installer/plan.ts";
import { sampleHardware, sampleImage, sampleJob } from "../samples.ts";

const rhsm = { organization: "123", activationKey: new Secret("hunter2") };
const images = {
  debian: {},
  ubuntu: { osRelease: { ID: "ubuntu", NAME: "Ubuntu", VERSION_ID: "24.04" } },
  rhel: {
    family: "redhat",
    license: "rhsm",
    osRelease: { ID: "rhel", PRETTY_NAME: "Red Hat Enterprise Linux 9.6", VERSION_ID: "9.6" },
  },
  rocky: { family: "redhat", osRelease: { ID: "rocky", NAME: "Rocky Linux", VERSION_ID: "9.6" } },
  opensuse: { family: "suse", osRelease: { ID: "opensuse-leap", NAME: "openSUSE Leap", VERSION_ID: "15.6" } },
  sles: { family: "suse", osRelease: { ID: "sles", NAME: "SLES", VERSION_ID: "15.7" } },
} as const;
const licenses = {
  nothing: undefined,
  none: "none",
  rhsm: { rhsm },
  ubuntuPro: { ubuntuPro: { token: new Secret("hunter2") } },
  suse: { suse: { registrationCode: new Secret("hunter2") } },
} as const;

const make = (image: keyof typeof images, license: unknown) => {
  const job = sampleJob({ license, hooks: { beforeReboot: [{ name: "own.sh", content: "#!/bin/sh\n" }] } });
  return plan(job, sampleHardware(), sampleImage(images[image]));
};

describe("which license an image takes", () => {
  test.each([
    ["debian", "nothing none"],
    ["ubuntu", "nothing none ubuntuPro"],
    ["rhel", "none rhsm"],
    ["rocky", "nothing none rhsm"],
    ["opensuse", "nothing none"],
    ["sles", "nothing none suse"],
  ] as const)("%s: %s", (image, accepted) => {
    const outcomes = Object.entries(licenses).filter(([, license]) => {
      try {
        return make(image, license);
      } catch (error) {
        const code = image === "rhel" && license === undefined ? "license-missing" : "license-unsuitable";
        expect(error).toMatchObject({ code, kind: "configuration", hint: expect.any(String) });
        return false;
      }
    });
    expect(outcomes.map(([name]) => name).join(" ")).toBe(accepted);
  });

  test("a refusal says what the image is and needs, and what the job gives", () => {
    expect(() => make("debian", { rhsm })).toThrow(
      "debian-12@20261123.0 is Debian GNU/Linux and needs no license; the job gives one of Red Hat Subscription Management, which is for Red Hat Enterprise Linux and its family",
    );
    expect(() => make("rhel", licenses.suse)).toThrow("is Red Hat Enterprise Linux 9.6 and needs a license (rhsm)");
  });
});

test("registration comes before the user's last hooks, and before anything boots", () => {
  const names = make("rhel", { rhsm: { ...rhsm, proxy: { url: "http://p:3128" } } }).steps.map(({ name }) => name);
  const at = names.indexOf("license-settings");
  expect(names.slice(at, at + 4)).toEqual(["license-settings", "register", "hook-before-reboot-1", "label-files"]);
  expect(names.indexOf("fill-esp")).toBeGreaterThan(at);
});

test("what is not set is not written", () => {
  const names = make("rhel", { rhsm }).steps.map(({ name }) => name);
  expect(names).toContain("register");
  expect(names.join(" ")).not.toMatch(/license-/);
});

test("at the first boot, cloud-init's module gets it from a file that root alone reads", () => {
  const made = make("rhel", { rhsm: { ...rhsm, when: "first-boot" } });
  expect(made.steps.map(({ name }) => name)).not.toContain("register");
  const files = made.steps.flatMap((step) =>
    step.name === "license-files" && step.kind === "write-files" ? step.files : [],
  );
  const [, configuration] = files;
  expect(configuration).toMatchObject({ path: "/usr/local/lib/metalcast-license/cloud.cfg", mode: 0o600 });
  const content = configuration && "content" in configuration ? configuration.content : "";
  expect(content).toBeInstanceOf(Secret);
  expect(content instanceof Secret && content.reveal()).toBe(
    '#cloud-config\n{"rh_subscription":{"org":"123","activation-key":"hunter2"}}\n',
  );
});

test.each([
  ["rhel", { rhsm: { ...rhsm, proxy: { url: "http://p", user: "u", password: new Secret("hunter2") } } }],
  ["rhel", { rhsm: { ...rhsm, when: "first-boot" } }],
  ["ubuntu", licenses.ubuntuPro],
  ["sles", licenses.suse],
] as const)("a plan shows no secret of %s's license", (image, license) => {
  const made = make(image, license);
  expect(JSON.stringify(made) + describePlan(made) + describeCommands(made)).not.toContain("hunter2");
});
