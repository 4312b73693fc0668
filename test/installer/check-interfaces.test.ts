import { expect, test } from "vitest";
import { checkInterfaces } from "../../installer/check-interfaces.ts";
import { describePlan } from "../../installer/describe-plan.ts";
import { plan } from "../../installer/plan.ts";
import { sampleHardware, sampleImage, sampleJob } from "./samples.ts";

const [first, second, other] = ["52:54:00:00:00:01", "52:54:00:00:00:02", "52:54:00:00:00:03"];
const bonded = {
  ethernets: { one: { mac: first }, two: { mac: second } },
  bonds: { uplink: { links: ["one", "two"], mode: "active-backup", dhcp4: true } },
};

const jobWith = (network: object) => sampleJob({ instance: { hostname: "web-1", network } });
const planWith = (network: object, hardware = sampleHardware()) => plan(jobWith(network), hardware, sampleImage());

test("a network of the server's own cards is planned, in either case of letters", () => {
  expect(planWith(bonded).warnings).toEqual([]);
  expect(planWith({ ethernets: { one: { mac: "52:54:00:00:00:01".toUpperCase(), dhcp4: true } } }).warnings).toEqual(
    [],
  );
});

test("without a network in the job no card is asked for", () => {
  expect(checkInterfaces(sampleJob().instance.network, [])).toEqual([]);
});

test("a card that the server has not is refused, and the message says which it has", () => {
  const network = { ethernets: { one: { mac: first }, two: { mac: other, dhcp4: true } } };
  expect(() => planWith(network)).toThrow(
    expect.objectContaining({
      code: "network-interface-missing",
      kind: "configuration",
      message: `planning the network: the server has no interface for two (${other}); it has eno1 (${first}, igb), eno2 (${second}, igb)`,
      hint: expect.stringContaining("instance.network.ethernets"),
      data: expect.objectContaining({ missing: [other] }),
    }),
  );
  expect(() => planWith(network, sampleHardware({ interfaces: [] }))).toThrow(
    expect.objectContaining({ message: expect.stringMatching(/for one \(.*\), two \(.*\); it has none$/) }),
  );
});

test("a card without a link is warned of; one that is down cannot tell", () => {
  const card = (mac: string, hasCarrier: boolean | undefined) => ({ name: "eno9", mac, driver: "", hasCarrier });
  const made = planWith(bonded, sampleHardware({ interfaces: [card(first, false), card(second, undefined)] }));
  expect(made.warnings).toEqual([`one (${first}) of the job's network is eno9, which has no link: is its cable in?`]);
  expect(describePlan(made)).toContain("warning     one (");
});
