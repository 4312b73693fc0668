import { expect, test } from "vitest";
import { installPlugins } from "../../factory/customize-plugins.ts";

/** @returns what is asked of a Packer of this version */
async function installWith(version: string) {
  const asked: string[] = [];
  const variables = await installPlugins("/packer/plugins", {
    start: async (program, args) => {
      asked.push([program, ...args].join(" "));
      return { stdout: version, exitCode: 0 };
    },
  });
  return { asked, variables };
}

test.each(["Packer v1.6.6", "Packer v1.6.6-dev (abcdef)"])("%s has its plugins built in", async (version) => {
  expect(await installWith(version)).toEqual({ asked: ["packer version"], variables: {} });
});

test.each(["Packer v1.7.0", "Packer v1.16.0\n\nYour version of Packer is out of date!", "Packer v2.0.1"])(
  "%s is told to get those it lacks, and where",
  async (version) => {
    expect(await installWith(version)).toEqual({
      asked: ["packer version", "packer init /packer/plugins"],
      variables: { PACKER_PLUGIN_PATH: expect.stringMatching(/^\//) },
    });
  },
);
