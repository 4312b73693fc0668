import { describe, expect, it } from "vitest";
import { parseCustomizeFlags } from "../../factory/customize-way.ts";

describe("the flags for customizing", () => {
  it("mean the chroot way where nothing is said", () => {
    expect(parseCustomizeFlags({})).toEqual({ way: "chroot" });
  });

  it("choose a virtual machine, and what runs it", () => {
    expect(parseCustomizeFlags({ customize: "qemu" })).toEqual({ way: "qemu", accelerator: "auto" });
    expect(parseCustomizeFlags({ customize: "qemu", accelerator: "tcg" })).toEqual({ way: "qemu", accelerator: "tcg" });
  });

  it("choose a cloud, and the server there", () => {
    const network = "0123abcd-0000-4000-8000-000000000000";
    const flags = { customize: "openstack", openstackFlavor: "b2-7", openstackNetwork: [network] };
    expect(parseCustomizeFlags({ ...flags, openstackRegion: "GRA11", openstackUser: "debian" })).toEqual({
      way: "openstack",
      server: { flavor: "b2-7", networks: [network], securityGroups: [], region: "GRA11", user: "debian" },
    });
  });

  it.each([
    [{ customize: "docker" }, /--customize: /],
    [{ customize: "qemu", accelerator: "hvf" }, /--accelerator: /],
    [{ customize: "openstack" }, /--openstack-flavor: /],
    [{ customize: "openstack", openstackFlavor: "b2;7" }, /--openstack-flavor: expected a name or identifier/],
    [{ customize: "openstack", openstackFlavor: "x", openstackNetwork: ["x"] }, /--openstack-network: expected a UUID/],
    [{ accelerator: "tcg" }, /--accelerator is not for the way chroot/],
    [{ customize: "qemu", openstackFlavor: "b2-7" }, /--openstack-\* is not for the way qemu/],
  ])("are refused: %j", (flags, problem) => {
    expect(() => parseCustomizeFlags(flags)).toThrow(
      expect.objectContaining({
        code: "customize-options-invalid",
        kind: "usage",
        message: expect.stringMatching(problem),
      }),
    );
  });
});
